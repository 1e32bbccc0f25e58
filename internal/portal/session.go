package portal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

// visit is a request of a session.
type visit struct {
	*Portal
	w       http.ResponseWriter
	r       *http.Request
	session claim.PortalSession
	api     *client.Client
	// page is the page that serves the request.
	page  claim.PortalPage
	words words
	// rendered is what a page that grows has not sent yet, and flushed says that it has sent
	// something.
	rendered bytes.Buffer
	flushed  bool
}

// inSession returns the handler of a page. It admits sessions that show the page and have
// the capability. Either may be empty.
func (p *Portal) inSession(page claim.PortalPage, needs claim.PortalCapability, serve func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, err := p.sessionOf(r)
		if err != nil {
			p.noSession(w, r, session, err)
			return
		}
		note(r.Context()).session = session.ID
		setPolicy(w.Header(), session.AllowedOrigin)
		v := &visit{Portal: p, w: w, r: r, session: session, page: page, words: p.wordsFor(r, session.Language)}
		if v.api, err = p.apiOf(session); err != nil {
			v.fail(err)
			return
		}
		if page != "" && !session.Shows(page) || needs != "" && !session.May(needs) {
			v.fail(errForbidden)
			return
		}
		if isFragment(r.Context()) == nil && r.Pattern != livePattern {
			if err := p.Store.Portal.Used(r.Context(), session); err != nil && !errors.Is(err, store.ErrPortalSession) {
				note(r.Context()).err = err // the page works all the same
			}
		}
		if r.Method == http.MethodPost {
			// Fields of a form that was cut off look empty, and empty ones have a meaning.
			if r.ParseForm() != nil {
				_ = v.lost() // always nil
				return
			}
			if shop := r.PostFormValue(shopField); shop != "" && shop != session.Shop {
				v.show(http.StatusConflict, "message", view{Title: v.words.say("othershop.title"), Data: v.words.say("othershop.text")})
				return
			}
		}
		if err := serve(v); err != nil {
			v.fail(err)
		}
	}
}

// shopField is the hidden field of every form that says for which shop its page was made.
// A browser has one session, so after entering another shop in another tab, the forms of
// the first would change the wrong shop.
const shopField = "portal_shop"

var postForm = regexp.MustCompile(`<form [^>]*method="post"[^>]*>`)

// forShop adds the hidden field to the forms of a page. Only the page's own markup has
// forms, because texts in it are escaped.
func forShop(page []byte, shop string) []byte {
	if shop == "" {
		return page
	}
	return postForm.ReplaceAll(page, []byte(`$0<input type="hidden" name="`+shopField+`" value="`+shop+`">`))
}

var (
	errForbidden = errors.New("the portal session does not permit this")
	errNotFound  = errors.New("the portal has no such page")
)

// sessionOf returns the session of a request's cookie.
func (p *Portal) sessionOf(r *http.Request) (claim.PortalSession, error) {
	cookie, err := r.Cookie(p.cookieName())
	if err != nil {
		return claim.PortalSession{}, store.ErrPortalSession
	}
	session, err := p.Store.Portal.Session(r.Context(), cookie.Value)
	if err == nil && session.Shop == "" {
		return claim.PortalSession{}, store.ErrPortalSession // an operator's, which has no shop
	}
	return session, err
}

// cookieName has the prefix that makes browsers enforce Secure and Path=/, unless the
// service is on the machine itself, without https.
func (p *Portal) cookieName() string {
	if p.secure {
		return "__Host-claimflow-portal"
	}
	return "claimflow-portal"
}

// setCookie sets or, with an empty value, removes the cookie of a session. In a frame of
// another site, the cookie is kept apart for each site that shows the frame (CHIPS). A
// browser may have one of each kind under the same name and sends both outside of frames,
// so the other kind is removed, before a browser that knows one kind gets the new one.
func (p *Portal) setCookie(w http.ResponseWriter, s claim.PortalSession, value string) {
	framed := s.AllowedOrigin != ""
	http.SetCookie(w, p.cookie(!framed, "", time.Time{}))
	http.SetCookie(w, p.cookie(framed, value, s.ExpiresAt))
}

// cookie returns the cookie of a session; one without a value removes it.
func (p *Portal) cookie(framed bool, value string, expires time.Time) *http.Cookie {
	c := &http.Cookie{Name: p.cookieName(), Value: value, Path: "/", HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteLaxMode, Expires: expires}
	if value == "" {
		c.MaxAge = -1
	}
	if framed {
		c.SameSite, c.Secure, c.Partitioned = http.SameSiteNoneMode, true, true
	}
	return c
}

// noSession answers a request without a valid session.
func (p *Portal) noSession(w http.ResponseWriter, r *http.Request, session claim.PortalSession, err error) {
	if !errors.Is(err, store.ErrPortalSession) {
		note(r.Context()).err = err
		p.notice(w, r, notice{status: http.StatusServiceUnavailable, key: "unavailable", session: session})
		return
	}
	setPolicy(w.Header(), session.AllowedOrigin)
	key := "ended"
	if session.ID == "" {
		if _, err := r.Cookie(p.cookieName()); err != nil {
			key = "out" // as after signing out
		} else if p.overTried(w, r) {
			return
		}
	}
	if r.Pattern == livePattern {
		sendOnly(w, endedEvent) // after another answer, the browser gives up and the page says nothing
		return
	}
	p.notice(w, r, notice{status: http.StatusUnauthorized, key: key, session: session, link: session.RefreshURL})
}

// overTried counts an attempt with an unknown secret. It answers the request if there were
// too many.
func (p *Portal) overTried(w http.ResponseWriter, r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if !p.tries.OnLimit(w, r, host) {
		return false
	}
	p.notice(w, r, notice{status: http.StatusTooManyRequests, key: "tries"})
	return true
}

// home shows the first page of the session, or why there is none.
func (v *visit) home() error {
	for _, page := range claim.PortalPages() {
		if v.shows(page) {
			return v.redirect(string(page))
		}
	}
	return errNotFound
}

func (v *visit) nothingHere() error { return errNotFound }

// leave ends the session.
func (v *visit) leave() error {
	if _, err := v.Store.Portal.End(v.r.Context(), v.session.Shop, v.session.ID, ""); err != nil {
		return err
	}
	v.audit(v.r.Context(), v.session, "end-portal-session")
	v.setCookie(v.w, v.session, "")
	v.notice(v.w, v.r, notice{status: http.StatusOK, key: "left", session: v.session, link: cmp.Or(v.session.ReturnURL, v.session.RefreshURL), event: "closed"})
	return nil
}

// redirect sends the person to a page of the portal after a command.
func (v *visit) redirect(path string) error {
	http.Redirect(v.w, v.r, "/portal/"+path, http.StatusSeeOther)
	return nil
}

// done sends the person to the top of a page that confirms a command: a browser would keep
// the fragment of the command's address. message is the key of the words.
func (v *visit) done(path, message string) error {
	to, err := url.Parse(path)
	if err != nil {
		return fmt.Errorf("show %q: %w", path, err)
	}
	query := to.Query()
	query.Set("done", message)
	to.RawQuery = query.Encode()
	to.Fragment = "top"
	return v.redirect(to.String())
}

// fail answers a request that failed.
func (v *visit) fail(err error) {
	key, status := "broken", http.StatusInternalServerError
	var refused *client.Error
	switch {
	case errors.Is(err, errForbidden):
		key, status = "forbidden", http.StatusForbidden
	case errors.Is(err, errNotFound):
		key, status = "missing", http.StatusNotFound
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
		key, status = "missing", http.StatusNotFound
	case errors.As(err, &refused) && refused.Status == http.StatusForbidden:
		key, status = "forbidden", http.StatusForbidden
	case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError:
		v.show(http.StatusConflict, "message", view{Title: v.words.say("refused.title"), Data: refused.Error()})
		return
	case errors.As(err, &refused):
		key, status = "unavailable", http.StatusServiceUnavailable
		note(v.r.Context()).err = err
	default:
		note(v.r.Context()).err = err
	}
	v.show(status, "message", view{Title: v.words.say(key + ".title"), Data: v.words.say(key + ".text")})
}
