package karla_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/toowner/karla"
)

var (
	credentials = karla.Credentials{User: "acme-user", Password: "acme-password"}
	client      = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
)

func TestPutClaim(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		base, slug, id string
		update         karla.Update
		path, body     string
	}{
		"both":          {"", "acme", "u-1", karla.Update{Status: "accepted", ResolutionPreference: "refund"}, "/v1/shops/acme/claims/u-1", `{"status":"accepted","resolution_preference":"refund"}`},
		"status only":   {"/", "acme", "u-1", karla.Update{Status: "closed"}, "/v1/shops/acme/claims/u-1", `{"status":"closed"}`},
		"base path":     {"/api/", "acme", "u-1", karla.Update{Status: "closed"}, "/api/v1/shops/acme/claims/u-1", `{"status":"closed"}`},
		"escaped names": {"", "a/c?e", "../u#1", karla.Update{Status: "closed"}, "/v1/shops/a%2Fc%3Fe/claims/..%2Fu%231", `{"status":"closed"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			type request struct{ method, path, user, password, contentType, body string }
			got := make(chan request, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				user, password, _ := r.BasicAuth()
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got <- request{r.Method, r.URL.EscapedPath(), user, password, r.Header.Get("Content-Type"), string(body)}
				_, _ = io.WriteString(w, `{"uuid":"u-1"}`)
			}))
			defer server.Close()
			require.NoError(t, karla.PutClaim(t.Context(), client, server.URL+test.base, credentials, test.slug, test.id, test.update))
			require.Equal(t, request{"PUT", test.path, "acme-user", "acme-password", "application/json", test.body}, <-got)
			require.True(t, json.Valid([]byte(test.body)))
		})
	}
}

func TestPutClaimRejections(t *testing.T) {
	t.Parallel()
	for status, final := range map[int]bool{
		400: true, 401: true, 403: true, 404: true, 409: true, 422: true,
		408: false, 425: false, 429: false, 301: false, 500: false, 502: false, 503: false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/shops/acme/claims/u-1" {
				t.Errorf("followed a redirect to %s", r.URL.Path)
			}
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "body of Karla's response")
		}))
		err := karla.PutClaim(t.Context(), client, server.URL, credentials, "acme", "u-1", karla.Update{Status: "closed"})
		server.Close()
		var refused *karla.StatusError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, status, refused.Status)
		require.Equal(t, "30", refused.RetryAfter)
		require.Equal(t, final, refused.Final(), status)
		requireDiscreet(t, err, server.URL)
	}
}

func TestPutClaimWithoutResponse(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	defer server.Close()
	put := func(ctx context.Context, base, slug, id string) error {
		return karla.PutClaim(ctx, client, base, credentials, slug, id, karla.Update{Status: "closed"})
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"connection closed": put(t.Context(), server.URL, "acme", "u-1"),
		"canceled":          put(canceled, server.URL, "acme", "u-1"),
		"invalid URL":       put(t.Context(), "http://127.0.0.1:port", "acme", "u-1"),
		"no shop":           put(t.Context(), server.URL, "", "u-1"),
		"path traversal":    put(t.Context(), server.URL, "acme", ".."),
	} {
		require.Error(t, err, name)
		var refused *karla.StatusError
		require.NotErrorAs(t, err, &refused, name)
		requireDiscreet(t, err, server.URL)
	}
	require.ErrorIs(t, put(canceled, server.URL, "acme", "u-1"), context.Canceled)
}

func requireDiscreet(t *testing.T, err error, address string) {
	t.Helper()
	for _, secret := range []string{credentials.User, credentials.Password.Reveal(), address, "body of Karla's response"} {
		require.NotContains(t, err.Error(), secret)
	}
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	t.Parallel()
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", credentials, credentials, credentials, credentials), "acme")
}
