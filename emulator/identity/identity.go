// Package identity emulates an OpenID Connect provider that signs everyone in without a
// question, for tests and demonstrations.
package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Provider is the emulated provider. Create one with [New].
type Provider struct {
	issuer string
	mux    *http.ServeMux
	signer jose.Signer

	mu     sync.Mutex
	claims map[string]any
	// asked are the parameters of authorization requests, by code.
	asked map[string]url.Values
}

// New returns a provider that is served at issuer, without a slash at the end. claims are
// added to every ID token.
func New(issuer string, claims map[string]any) (*Provider, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("create the provider's key: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		return nil, fmt.Errorf("create the provider's signer: %w", err)
	}
	p := &Provider{issuer: issuer, mux: http.NewServeMux(), signer: signer, claims: map[string]any{}, asked: map[string]url.Values{}}
	for name, value := range claims {
		p.claims[name] = value
	}
	p.mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{
			"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	p.mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	p.mux.HandleFunc("GET /authorize", p.authorize)
	p.mux.HandleFunc("POST /token", p.token)
	return p, nil
}

// ServeHTTP implements [http.Handler].
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// Say sets a claim of the next ID tokens.
func (p *Provider) Say(name string, value any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims[name] = value
}

// authorize sends the person back at once, with a code.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	query, code := r.URL.Query(), rand.Text()
	if query.Get("code_challenge_method") != "S256" || query.Get("response_type") != "code" {
		http.Error(w, "The provider requires response_type=code and PKCE with S256.", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	p.asked[code] = query
	p.mu.Unlock()
	back := url.Values{"code": {code}, "state": {query.Get("state")}}
	http.Redirect(w, r, query.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound) //nolint:gosec // a demonstration signs everyone in
}

// token exchanges a code, once.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	code := r.PostFormValue("code")
	p.mu.Lock()
	defer p.mu.Unlock()
	asked, known := p.asked[code]
	delete(p.asked, code)
	verifier := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !known || base64.RawURLEncoding.EncodeToString(verifier[:]) != asked.Get("code_challenge") {
		reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	claims := map[string]any{
		"iss": p.issuer, "aud": asked.Get("client_id"), "sub": "operator", "nonce": asked.Get("nonce"), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	for name, value := range p.claims {
		claims[name] = value
	}
	token, err := jwt.Signed(p.signer).Claims(claims).Serialize()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, http.StatusOK, map[string]any{"access_token": "unused", "token_type": "Bearer", "id_token": token})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may have gone
}
