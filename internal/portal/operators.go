package portal

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

// OpenID configures how operators of the platform sign in.
type OpenID struct {
	// Issuer is the provider's address. If it is empty, there are no pages for operators.
	Issuer, ClientID, ClientSecret string
	// Group is the value that the claim "groups" must contain; empty for none.
	Group string
}

const (
	operatorsPath = "/portal/operators"
	// signInTime is how long a person may take at the provider.
	signInTime = 10 * time.Minute
	// providerTime bounds a request to the provider.
	providerTime = 10 * time.Second
	// providerPause is how long the provider is not asked again after it failed.
	providerPause = 10 * time.Second
)

// signIn is what the browser keeps between the request to the provider and its answer.
type signIn struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// operators are the pages for operators of the platform, who see all shops.
type operators struct {
	*Portal
	OpenID

	mu       sync.Mutex
	provider *oidc.Provider // nil until it was asked
	// failed is why the provider could not be asked; it is not asked again before askAgain.
	failed   error
	askAgain time.Time
}

func (p *Portal) operatorRoutes() {
	if p.OpenID.Issuer == "" {
		return
	}
	o := &operators{Portal: p, OpenID: p.OpenID}
	p.mux.HandleFunc("GET "+operatorsPath, o.list)
	p.mux.HandleFunc("POST "+operatorsPath+"/sign-in", o.signIn)
	p.mux.HandleFunc("GET "+operatorsPath+"/callback", o.signedIn)
	p.mux.HandleFunc("POST "+operatorsPath+"/leave", o.leave)
	p.mux.HandleFunc("POST "+operatorsPath+"/shops/{shop}", o.enter)
}

func (o *operators) cookieName(what string) string {
	if o.secure {
		return "__Host-claimflow-" + what
	}
	return "claimflow-" + what
}

// setCookie sets a cookie for a time; it removes the cookie if the value is empty.
func (o *operators) setCookie(w http.ResponseWriter, what, value string, keep time.Duration) {
	c := &http.Cookie{Name: o.cookieName(what), Value: value, Path: "/", HttpOnly: true, Secure: o.secure, SameSite: http.SameSiteLaxMode, MaxAge: int(keep.Seconds())} //nolint:gosec // on the machine itself, there is no https
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// client returns what talks to the provider. It asks the provider once; after a failure,
// it asks again in a while, so that persons do not queue for a provider that is silent.
func (o *operators) client(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider == nil {
		if time.Now().Before(o.askAgain) {
			return nil, nil, o.failed
		}
		provider, err := oidc.NewProvider(ctx, o.Issuer)
		if err != nil {
			o.failed, o.askAgain = fmt.Errorf("ask the OpenID Connect provider %s: %w", o.Issuer, err), time.Now().Add(providerPause)
			return nil, nil, o.failed
		}
		o.provider = provider
	}
	return o.provider, &oauth2.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret, Endpoint: o.provider.Endpoint(),
		RedirectURL: strings.TrimSuffix(o.PublicURL, "/") + operatorsPath + "/callback", Scopes: []string{oidc.ScopeOpenID, "profile"},
	}, nil
}

// toProvider returns a context for requests to the provider. The provider keeps it, so it
// must not end with the request of a person.
func (o *operators) toProvider(ctx context.Context) context.Context {
	return oidc.ClientContext(context.WithoutCancel(ctx), &http.Client{Timeout: providerTime})
}

// signIn sends a person to the provider.
func (o *operators) signIn(w http.ResponseWriter, r *http.Request) {
	_, config, err := o.client(o.toProvider(r.Context()))
	if err != nil {
		o.unavailable(w, r, err)
		return
	}
	kept := signIn{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	text, err := json.Marshal(kept)
	if err != nil {
		o.unavailable(w, r, err)
		return
	}
	o.setCookie(w, "sign-in", base64.RawURLEncoding.EncodeToString(text), signInTime)
	// The form's target is another site then, which its policy must name.
	http.Redirect(w, r, config.AuthCodeURL(kept.State, oidc.Nonce(kept.Nonce), oauth2.S256ChallengeOption(kept.Verifier)), http.StatusSeeOther)
}

// signedIn receives a person from the provider and begins their session.
func (o *operators) signedIn(w http.ResponseWriter, r *http.Request) {
	subject, err := o.subject(r)
	o.setCookie(w, "sign-in", "", 0)
	var refused *refusedSignIn
	switch {
	case errors.As(err, &refused):
		o.Log.WarnContext(r.Context(), "an operator could not sign in", "why", refused.why)
		o.notice(w, r, notice{status: http.StatusForbidden, key: "signin"})
		return
	case err != nil:
		o.unavailable(w, r, err)
		return
	}
	session, cookie, err := o.Store.Portal.BeginOperator(r.Context(), subject)
	if err != nil {
		o.unavailable(w, r, err)
		return
	}
	o.audit(r.Context(), session, "begin-operator-session")
	o.setCookie(w, "operator", cookie, claim.PortalSessionTTL)
	http.Redirect(w, r, operatorsPath, http.StatusSeeOther)
}

// refusedSignIn says why a person could not sign in.
type refusedSignIn struct{ why string }

func (e *refusedSignIn) Error() string { return e.why }

// subject returns who the provider says that a person is. The error is a [*refusedSignIn]
// if the person is no operator or did not come from [operators.signIn].
func (o *operators) subject(r *http.Request) (string, error) {
	var kept signIn
	cookie, err := r.Cookie(o.cookieName("sign-in"))
	if err == nil {
		var text []byte
		if text, err = base64.RawURLEncoding.DecodeString(cookie.Value); err == nil {
			err = json.Unmarshal(text, &kept)
		}
	}
	query := r.URL.Query()
	switch {
	case err != nil || kept.State == "" || query.Get("state") != kept.State:
		return "", &refusedSignIn{"the answer of the provider belongs to no request of this browser"}
	case query.Get("error") != "":
		return "", &refusedSignIn{fmt.Sprintf("the provider answered %q", query.Get("error"))}
	}
	ctx := o.toProvider(r.Context())
	provider, config, err := o.client(ctx)
	if err != nil {
		return "", err
	}
	token, err := config.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(kept.Verifier))
	var denied *oauth2.RetrieveError
	if errors.As(err, &denied) && denied.Response.StatusCode < http.StatusInternalServerError {
		return "", &refusedSignIn{"the provider does not accept the code: " + denied.ErrorCode}
	}
	if err != nil {
		return "", fmt.Errorf("exchange a code at the OpenID Connect provider: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := provider.Verifier(&oidc.Config{ClientID: o.ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", &refusedSignIn{"the ID token is not valid: " + err.Error()}
	}
	var claims struct {
		Groups []string `json:"groups"`
	}
	if err := verified.Claims(&claims); err != nil {
		return "", &refusedSignIn{"the claim groups of the ID token is no list"}
	}
	switch {
	case verified.Nonce != kept.Nonce:
		return "", &refusedSignIn{"the ID token was made for another request"}
	case o.Group != "" && !slices.Contains(claims.Groups, o.Group):
		return "", &refusedSignIn{"subject " + verified.Subject + " is not in the group " + o.Group}
	}
	return verified.Subject, nil
}

// session returns the session of an operator, or [store.ErrPortalSession].
func (o *operators) session(r *http.Request) (claim.PortalSession, error) {
	cookie, err := r.Cookie(o.cookieName("operator"))
	if err != nil {
		return claim.PortalSession{}, store.ErrPortalSession
	}
	session, err := o.Store.Portal.Session(r.Context(), cookie.Value)
	if err == nil && session.Shop != "" {
		err = store.ErrPortalSession // the cookie of a shop's session
	}
	if err == nil {
		err = o.Store.Portal.Used(r.Context(), session)
	}
	return session, err
}

// operatorData is what the page of operators shows.
type operatorData struct {
	SignedIn bool
	Shops    []operatedShop
	Query    string
}

// operatedShop is a shop with the numbers of its claims that matter most.
type operatedShop struct {
	claim.Shop
	Attention, Open int
}

// list shows all shops, or how to sign in.
func (o *operators) list(w http.ResponseWriter, r *http.Request) {
	words := o.wordsFor(r, "")
	data := operatorData{Query: strings.TrimSpace(r.URL.Query().Get("q"))}
	session, err := o.session(r)
	switch {
	case errors.Is(err, store.ErrPortalSession):
		// The form leads to the provider, by a redirect.
		o.allowFormTo(r.Context(), w.Header())
		o.write(w, r, http.StatusOK, "operators", words, view{Title: words.say("operators.title"), Data: data})
		return
	case err != nil:
		o.unavailable(w, r, err)
		return
	}
	api, err := o.apiOf(claim.PortalSession{ID: session.ID, Subject: session.Subject})
	var shops []claim.Shop
	if err == nil {
		shops, err = api.Shops(r.Context())
	}
	if err != nil {
		o.unavailable(w, r, err)
		return
	}
	data.SignedIn = true
	for _, s := range shops {
		if text := strings.ToLower(data.Query); strings.Contains(strings.ToLower(s.Slug), text) || strings.Contains(strings.ToLower(s.Name), text) {
			data.Shops = append(data.Shops, operatedShop{s, s.Counts[claim.StateNeedsAttention], s.Counts[claim.StateOpen]})
		}
	}
	o.write(w, r, http.StatusOK, "operators", words, view{Title: words.say("operators.title"), Data: data, Path: r.URL.RequestURI()})
}

// allowFormTo lets the form of the page be redirected to the provider: browsers apply
// form-action to redirects too.
func (o *operators) allowFormTo(ctx context.Context, h http.Header) {
	_, config, err := o.client(o.toProvider(ctx))
	if err != nil {
		return // the form then says that the provider cannot be reached
	}
	if origin := originOf(config.Endpoint.AuthURL); origin != "" {
		h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "form-action 'self'", "form-action 'self' "+origin, 1))
	}
}

// enter begins a session of the operator in a shop.
func (o *operators) enter(w http.ResponseWriter, r *http.Request) {
	operator, err := o.session(r)
	if errors.Is(err, store.ErrPortalSession) {
		http.Redirect(w, r, operatorsPath, http.StatusSeeOther)
		return
	}
	var session claim.PortalSession
	var secret, cookie string
	if err == nil {
		link := client.NewPortalLink{
			Subject: operator.Subject, Pages: claim.PortalPages(), Capabilities: claim.PortalCapabilities(), ExpiresIn: 60,
			ReturnURL: strings.TrimSuffix(o.PublicURL, "/") + operatorsPath, RefreshURL: strings.TrimSuffix(o.PublicURL, "/") + operatorsPath,
		}
		_, secret, err = o.Store.Portal.CreateLink(r.Context(), r.PathValue("shop"), claim.PortalOperators, link)
	}
	if err == nil {
		session, cookie, err = o.Store.Portal.Begin(r.Context(), secret)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		o.notice(w, r, notice{status: http.StatusNotFound, key: "missing", link: operatorsPath})
		return
	case err != nil:
		o.unavailable(w, r, err)
		return
	}
	o.audit(r.Context(), session, "begin-portal-session")
	o.Portal.setCookie(w, session, cookie)
	http.Redirect(w, r, "/portal/", http.StatusSeeOther)
}

// leave ends all sessions of the operator.
func (o *operators) leave(w http.ResponseWriter, r *http.Request) {
	session, err := o.session(r)
	if err == nil {
		err = o.Store.Portal.EndOperator(r.Context(), session.Subject)
	}
	if err != nil && !errors.Is(err, store.ErrPortalSession) {
		o.unavailable(w, r, err)
		return
	}
	if err == nil {
		o.audit(r.Context(), session, "end-operator-session")
	}
	o.setCookie(w, "operator", "", 0)
	o.Portal.setCookie(w, claim.PortalSession{}, "")
	o.notice(w, r, notice{status: http.StatusOK, key: "left", link: operatorsPath})
}

func (o *operators) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	note(r.Context()).err = err
	o.notice(w, r, notice{status: http.StatusServiceUnavailable, key: "unavailable", link: operatorsPath})
}

// originOf returns the origin of an address, or empty.
func originOf(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return cmp.Or(scheme, "https") + "://" + host
}
