package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// PortalPath is where the portal is served. A link is this path, "enter/" and the link's
// secret.
const PortalPath = "/portal/"

// portalRoutes returns the routes that make links to the portal and end its sessions.
func (a *api) portalRoutes() []route {
	const (
		sessions = shop + "/portal-sessions"
		write    = client.ScopeShopsWrite
	)
	return []route{
		newRoute("POST "+shop+"/portal-links", "create-portal-link", "Create a link to the portal", tagPortal, write, a.createPortalLink, withStatus(http.StatusCreated), withErrors(http.StatusConflict),
			withDescription("The link works once and for minutes: create one when the person clicks, and redirect there. Opening it changes nothing, so that scanners of mails do not use it up; the button on its page begins a session of up to 8 hours. A link permits no more than the API key that creates it.")),
		newRoute("GET "+sessions, "list-portal-sessions", "List portal sessions and unused links", tagPortal, client.ScopeShopsRead, a.listPortalSessions),
		newRoute("DELETE "+sessions, "end-portal-sessions", "End all portal sessions of a shop, or of one person", tagPortal, write, a.endPortalSessions,
			withDescription("Unused links end as well.")),
		newRoute("DELETE "+sessions+"/{session}", "end-portal-session", "End a portal session or revoke a link", tagPortal, write, a.endPortalSession),
	}
}

// PortalScopes returns the scopes that a portal session with the given capabilities has.
func PortalScopes(capabilities []claim.PortalCapability) []string {
	scopes := []string{client.ScopeClaimsRead, client.ScopeShopsRead, client.ScopeUnifiedRead}
	for _, c := range capabilities {
		scopes = append(scopes, scopeOf(c))
	}
	return scopes
}

func scopeOf(c claim.PortalCapability) string {
	if c == claim.MayOperate {
		return client.ScopeOperate
	}
	return client.ScopeShopsWrite
}

type portalLinkInput struct {
	InShop
	Body claim.NewPortalLink
}

func (a *api) createPortalLink(ctx context.Context, in *portalLinkInput) (*body[client.PortalLink], error) {
	l, key := in.Body, of(ctx).key
	if errs := l.Validate(); len(errs) > 0 {
		return nil, &claim.InvalidError{What: "portal link", Errors: errs}
	}
	address, err := a.portalAddress()
	if err != nil {
		return nil, err
	}
	if l.Pages == nil {
		l.Pages = claim.PortalPages()
	}
	if l.Capabilities == nil {
		l.Capabilities = slices.DeleteFunc(claim.PortalCapabilities(), func(c claim.PortalCapability) bool { return !may(key, scopeOf(c)) })
	}
	for _, scope := range PortalScopes(l.Capabilities) {
		if !may(key, scope) {
			return nil, newProblem(http.StatusForbidden, "", "The API key lacks the scope "+scope+", so it cannot create a link that permits it.")
		}
	}
	l.RefreshURL = cmp.Or(l.RefreshURL, l.ReturnURL)
	l.ExpiresIn = cmp.Or(l.ExpiresIn, int(claim.DefaultPortalLinkTTL/time.Second))
	link, secret, err := a.Store.Portal.CreateLink(ctx, in.Shop, key.Name, l)
	recordChange(ctx, "id", link.ID)
	recordChange(ctx, "subject", link.Subject)
	recordChange(ctx, "capabilities", join(link.Capabilities))
	return ok(client.PortalLink{
		ID: link.ID, URL: address + "enter/" + secret, ExpiresAt: link.ExpiresAt,
	}, err)
}

// portalAddress returns the public address of the portal, with a slash at the end. The error
// is a [*Problem] if the portal cannot be used there: its links are secrets and its sessions
// are cookies, and its pages name each other by paths from the root.
func (a *api) portalAddress() (string, error) {
	public, err := url.Parse(a.PublicURL)
	if err != nil || !claim.IsSecureURL(a.PublicURL) {
		return "", newProblem(http.StatusConflict, "", "The portal needs https, because its links are secrets and its sessions are cookies. Set CLAIMFLOW_PUBLIC_URL to the https address of this service.")
	}
	if strings.Trim(public.Path, "/") != "" {
		return "", newProblem(http.StatusConflict, "", "The portal needs an address without a path. Serve this service at the root of a host, and set CLAIMFLOW_PUBLIC_URL to it.")
	}
	return public.Scheme + "://" + public.Host + PortalPath, nil
}

func (a *api) listPortalSessions(ctx context.Context, in *InShop) (*body[client.PortalSessionList], error) {
	sessions, err := a.Store.Portal.Sessions(ctx, in.Shop)
	return ok(client.PortalSessionList{Sessions: notNil(sessions)}, err)
}

func (a *api) endPortalSessions(ctx context.Context, in *struct {
	InShop
	Subject string `query:"subject" doc:"Only those of this person, as named when the link was created."`
},
) (*body[client.EndedSessions], error) {
	n, err := a.Store.Portal.End(ctx, in.Shop, "", in.Subject)
	recordChange(ctx, "sessions", strconv.Itoa(n))
	recordChange(ctx, "subject", in.Subject)
	return ok(client.EndedSessions{Sessions: n}, err)
}

func (a *api) endPortalSession(ctx context.Context, in *struct {
	InShop
	Session string `path:"session" format:"uuid" doc:"The id of the link and its session."`
},
) (*struct{}, error) {
	n, err := a.Store.Portal.End(ctx, in.Shop, in.Session, "")
	if err == nil && n == 0 {
		err = newProblem(http.StatusNotFound, "", "The shop has no such portal session, or it has ended.")
	}
	return nil, err
}
