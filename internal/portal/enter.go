package portal

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// showLink shows the page of a link. It changes nothing: scanners of mails open links too.
func (p *Portal) showLink(w http.ResponseWriter, r *http.Request) {
	link, err := p.Store.Portal.Link(r.Context(), r.PathValue("secret"))
	if err != nil {
		p.badLink(w, r, link, err)
		return
	}
	setPolicy(w.Header(), link.AllowedOrigin)
	name, err := p.Store.Shops.Name(r.Context(), link.Shop)
	if err != nil {
		p.badLink(w, r, link, err)
		return
	}
	words := p.wordsFor(r, link.Language)
	p.write(w, r, http.StatusOK, "enter", words, view{Title: words.say("enter.title"), Data: cmp.Or(name, link.Shop), Origin: link.AllowedOrigin})
}

// useLink begins the session of a link.
func (p *Portal) useLink(w http.ResponseWriter, r *http.Request) {
	session, cookie, err := p.Store.Portal.Begin(r.Context(), r.PathValue("secret"))
	if err != nil {
		p.badLink(w, r, session, err)
		return
	}
	note(r.Context()).session = session.ID
	p.audit(r.Context(), session, "begin-portal-session")
	setPolicy(w.Header(), session.AllowedOrigin)
	p.setCookie(w, session, cookie)
	http.Redirect(w, r, "/portal/", http.StatusSeeOther)
}

// badLink answers a link that cannot be used.
func (p *Portal) badLink(w http.ResponseWriter, r *http.Request, link claim.PortalSession, err error) {
	if !errors.Is(err, store.ErrPortalLink) {
		note(r.Context()).err = err
		p.notice(w, r, notice{status: http.StatusServiceUnavailable, key: "unavailable", session: link})
		return
	}
	if link.ID == "" {
		if !p.overTried(w, r) {
			p.notice(w, r, notice{status: http.StatusNotFound, key: "unknown"})
		}
		return
	}
	setPolicy(w.Header(), link.AllowedOrigin)
	p.notice(w, r, notice{status: http.StatusGone, key: "used", session: link, link: link.RefreshURL})
}

// audit records the begin or end of a session, also if the person has disconnected.
func (p *Portal) audit(ctx context.Context, s claim.PortalSession, action string) {
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	entry := claim.AuditEntry{Actor: actorOf(s), Action: action, Shop: s.Shop, Target: s.ID}
	if err := p.Store.AuditLog.Append(writing, entry); err != nil {
		p.Log.ErrorContext(ctx, "cannot write the audit log", "action", action, "target", s.ID, "shop", s.Shop, "error", err.Error())
	}
}
