package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/toowner/files"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// withFiles returns a bench whose Dixa stores files below base.
func withFiles(t *testing.T, base string) *bench {
	t.Helper()
	return newBenchOn(t, "sqlite::memory:", func(o *api.Options) {
		kept, err := files.New(files.Options{Store: o.Store, BaseURL: base, AllowLoopback: true})
		require.NoError(t, err)
		o.Files = kept
	})
}

// receive stores a message with files at the given addresses.
func (b *bench) receive(ref claim.Ref, conversation int64, sources ...string) {
	b.t.Helper()
	m := claim.Message{ID: "m-1", Kind: claim.MessageKind, Direction: claim.DirectionInbound, At: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	for i, source := range sources {
		m.Attachments = append(m.Attachments, claim.MessageAttachment{ID: string(rune('1' + i)), Name: "../broken \"mug\" ß.html", Source: source})
	}
	require.NoError(b.t, b.store.Conversations.Apply(b.t.Context(), store.EventEffects{Ref: ref, State: claim.StateReceived, ConversationID: conversation, Messages: []mirror.Message{{Message: m}}}))
}

const attachment = "/v1/shops/acme/claims/c-1/messages/m-1/attachments/"

func TestAttachmentIsStreamedAsDownload(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "bearer" || password != token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Set-Cookie", "theirs=1")
		_, _ = w.Write([]byte("<script>alert(1)</script>"))
	}))
	t.Cleanup(host.Close)
	b := withFiles(t, host.URL)
	ref := b.linked("c-1", 100)
	b.receive(ref, 100, "/private/org/attachment/1")

	r := b.send("GET", attachment+"1", b.key("acme", client.ScopeClaimsRead), "")
	require.Equal(t, 200, r.StatusCode, r.text)
	require.Equal(t, "<script>alert(1)</script>", r.text)
	require.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"))
	require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
	require.Contains(t, r.Header.Get("Content-Security-Policy"), "sandbox")
	require.Equal(t, "attachment; filename*=utf-8''_broken%20%22mug%22%20%C3%9F.html", r.Header.Get("Content-Disposition"))
	require.Empty(t, r.Header.Values("Set-Cookie"), "no other header may be forwarded")
	require.NotContains(t, b.log.String(), token)

	r = b.send("GET", attachment+"9", b.secret, "")
	require.Equal(t, 404, r.StatusCode)
	r = b.send("GET", attachment+"1", b.key("acme", client.ScopeShopsRead), "")
	require.Equal(t, 403, r.StatusCode)
	b.shop("other")
	r = b.send("GET", "/v1/shops/other/claims/c-1/messages/m-1/attachments/1", b.key("other", client.ScopeClaimsRead), "")
	require.Equal(t, 404, r.StatusCode, "files of another shop must not be found")
}

func TestUnavailableAttachment(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/private/refused":
			w.WriteHeader(http.StatusUnauthorized)
		case "/private/broken":
			w.WriteHeader(http.StatusBadGateway)
		case "/private/large":
			w.Header().Set("Content-Length", "99999999")
		case "/private/half":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("half"))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(host.Close)
	b := withFiles(t, host.URL)
	ref := b.linked("c-1", 100)
	b.receive(ref, 100, "/private/gone", "/private/refused", "/private/broken", "/private/large", "/private/half")
	for id, want := range map[string]struct {
		status int
		words  string
	}{"1": {404, "no longer exists"}, "2": {409, "rejected the shop's token"}, "3": {502, "returned 502"}, "4": {502, "larger than 50 MiB"}} {
		r := b.send("GET", attachment+id, b.secret, "")
		p := r.problem(t)
		require.Equal(t, want.status, p.Status, r.text)
		require.Contains(t, p.Detail, want.words)
		require.NotContains(t, r.text, host.URL, "the file's origin must not be revealed")
		require.NotContains(t, r.text, "private")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+attachment+"5", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+b.secret)
	response, err := (&http.Client{Timeout: waitFor}).Do(request)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		require.NoError(t, response.Body.Close())
	}
	require.Error(t, err, "a partial file must abort the connection")
}
