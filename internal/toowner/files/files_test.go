package files_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/toowner/files"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

const token = "demo-token"

var ref = claim.Ref{Shop: "acme", ID: "c-1"}

// host is a file server that records the requests it receives.
type host struct {
	*httptest.Server
	mu      sync.Mutex
	paths   []string
	headers []http.Header
}

func newHost(t *testing.T, handle http.HandlerFunc) *host {
	t.Helper()
	h := &host{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.paths, h.headers = append(h.paths, r.URL.RequestURI()), append(h.headers, r.Header.Clone())
		h.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// bare checks that no request contained the token in any form.
func (h *host) bare(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	require.NotEmpty(t, h.headers, "the host received no request")
	for _, header := range h.headers {
		require.Empty(t, header.Values("Authorization"), "the token was sent to a host other than Dixa's")
		require.Empty(t, header.Values("Referer"))
	}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func moves(to *string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, *to, http.StatusFound) }
}

// openStore returns a store with a claim whose conversation has a message with a
// file at each address. IDs count from 1.
func openStore(t *testing.T, sources ...string) *store.Store {
	t.Helper()
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	s, err := store.Open(t.Context(), "sqlite::memory:", keys)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	_, err = s.Shops.Create(t.Context(), store.NewShop{Slug: ref.Shop, Name: "Acme", Feature: true})
	require.NoError(t, err)
	connection, err := s.Connections.SaveToken(t.Context(), ref.Shop, token, store.Organization{ID: server.SeedOrganization, Name: "Demo"})
	require.NoError(t, err)
	_, err = s.Claims.Accept(t.Context(), &claim.Claim{ID: ref.ID, Shop: ref.Shop, Reason: "damaged", Customer: claim.Customer{Email: "ada@customer.example"}})
	require.NoError(t, err)
	require.NoError(t, s.Links.Create(t.Context(), store.LinkInput{Ref: ref, ConnectionID: connection.ID, ConversationID: 100, Step: claim.StepConversation}))
	m := claim.Message{ID: "m-1", Kind: claim.MessageKind, At: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	for i, source := range sources {
		m.Attachments = append(m.Attachments, claim.MessageAttachment{ID: string(rune('1' + i)), Name: "photo.jpg", Source: source})
	}
	require.NoError(t, s.Conversations.Apply(t.Context(), store.EventEffects{Ref: ref, State: claim.StateReceived, ConversationID: 100, Messages: []mirror.Message{{Message: m}}}))
	return s
}

func fetcher(t *testing.T, s *store.Store, base string, allowLoopback bool) *files.Files {
	t.Helper()
	f, err := files.New(files.Options{Store: s, BaseURL: base, AllowLoopback: allowLoopback, Timeout: 5 * time.Second})
	require.NoError(t, err)
	return f
}

func read(t *testing.T, f *files.Files, id string) string {
	t.Helper()
	file, err := f.Open(t.Context(), ref, "m-1", id)
	require.NoError(t, err)
	data, err := io.ReadAll(file.Body)
	require.NoError(t, err)
	require.NoError(t, file.Body.Close())
	return string(data)
}

func reason(t *testing.T, err error) files.Reason {
	t.Helper()
	var e *files.FetchError
	require.ErrorAs(t, err, &e)
	require.NotContains(t, e.Error(), token)
	require.NotContains(t, e.Error(), "127.0.0.1", "the error contains the address")
	return e.Reason
}

// The emulator names its files as Dixa does, by absolute URL or by path, and serves
// the private ones for its own form of the token.
func TestFilesFromEmulator(t *testing.T) {
	t.Parallel()
	for _, links := range []string{"absolute", "path"} {
		t.Run(links, func(t *testing.T) {
			t.Parallel()
			photo := newHost(t, says("a photo"))
			dixa := server.New(server.Options{Token: token, Switches: server.Switches{FileLinks: links}})
			api := httptest.NewServer(dixa)
			t.Cleanup(func() { api.Close(); dixa.Close() })
			body := `{"_type":"Email","requesterId":"` + customer(t, api.URL) + `","emailIntegrationId":"` + server.SeedMailbox + `","subject":"x",
				"message":{"_type":"Inbound","content":{"_type":"Text","value":"x"},"attachments":[{"url":"` + photo.URL + `/a.jpg"}]}}`
			post(t, api.URL+"/v1/conversations", body)
			stored := dixa.State().Conversations[0].Messages[0].Attachments[0].Path
			source := stored
			if links == "absolute" {
				source = api.URL + "/files" + stored
			}
			f := fetcher(t, openStore(t, source), api.URL+"/files", false)
			require.Equal(t, "a photo", read(t, f, "1"))
		})
	}
}

func customer(t *testing.T, base string) string {
	t.Helper()
	text := post(t, base+"/v1/endusers", `{"displayName":"Ada","email":"ada@customer.example"}`)
	_, after, found := strings.Cut(text, `"id":"`)
	require.True(t, found, text)
	id, _, _ := strings.Cut(after, `"`)
	return id
}

func post(t *testing.T, address, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, 300, string(data))
	return string(data)
}

// The token goes only to Dixa's host, whatever an address or a redirect says.
func TestTokenIsSentOnlyToDixa(t *testing.T) {
	t.Parallel()
	other := newHost(t, says("theirs"))
	to := other.URL + "/stored"
	dixa := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/files/moved") {
			moves(&to)(w, r)
			return
		}
		if _, password, _ := r.BasicAuth(); password != token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "ours")
	})
	home := dixa.URL + "/files/private/secret"
	back := newHost(t, moves(&home))
	s := openStore(t,
		"/private/a",            // 1: Dixa's, by path
		dixa.URL+"/files/a?b=c", // 2: Dixa's, by URL
		other.URL+"/a",          // 3: another host's
		"/moved",                // 4: Dixa's, redirects to another host
		back.URL+"/a",           // 5: another host's, redirects to Dixa
		dixa.URL+"/elsewhere",   // 6: Dixa's host, outside the files path
	)
	f := fetcher(t, s, dixa.URL+"/files/", true)
	require.Equal(t, "ours", read(t, f, "1"))
	require.Equal(t, "ours", read(t, f, "2"))
	require.Equal(t, []string{"/files/private/a", "/files/a?b=c"}, dixa.paths)
	require.Equal(t, "theirs", read(t, f, "3"))
	require.Equal(t, "theirs", read(t, f, "4"))
	other.bare(t)
	for _, id := range []string{"5", "6"} {
		_, err := f.Open(t.Context(), ref, "m-1", id)
		require.Equal(t, files.Unreachable, reason(t, err), "the request was sent with the token")
	}
	back.bare(t)
}

func TestOtherHostsMustBePublic(t *testing.T) {
	t.Parallel()
	inside := newHost(t, says("the inside"))
	to := inside.URL + "/metadata"
	dixa := newHost(t, moves(&to))
	f := fetcher(t, openStore(t, inside.URL+"/a", "/moved"), dixa.URL, false)
	for _, id := range []string{"1", "2"} {
		_, err := f.Open(t.Context(), ref, "m-1", id)
		require.Equal(t, files.Unreachable, reason(t, err))
		require.ErrorContains(t, err, "is not public")
	}
	require.Empty(t, inside.paths)
}

func TestInvalidAddresses(t *testing.T) {
	t.Parallel()
	dixa := newHost(t, says("ours"))
	sources := []string{
		"file:///etc/passwd", "//evil.example/a", "private/a", "javascript:alert(1)", "https://user:pw@files.example/a",
		"http://[", "/../v1/endusers", "/%2e%2e/v1/endusers",
	}
	f := fetcher(t, openStore(t, sources...), dixa.URL+"/files", true)
	for i, source := range sources {
		_, err := f.Open(t.Context(), ref, "m-1", string(rune('1'+i)))
		require.Equal(t, files.Unreachable, reason(t, err), source)
	}
	require.Empty(t, dixa.paths)
	_, err := f.Open(t.Context(), ref, "m-1", "99")
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = f.Open(t.Context(), ref, "m-2", "1")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestServerFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		reason files.Reason
	}{
		"gone":          {http.NotFound, files.Gone},
		"token refused": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, files.TokenRefused},
		"unavailable":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, files.Unreachable},
		"rate limited":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, files.Unreachable},
		"too large":     {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "52428801") }, files.TooLarge},
		"cut":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, files.Unreachable},
		"redirect loop": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, files.Unreachable},
		"redirect to a file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, files.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dixa := newHost(t, test.handle)
			_, err := fetcher(t, openStore(t, "/private/a"), dixa.URL, false).Open(t.Context(), ref, "m-1", "1")
			require.Equal(t, test.reason, reason(t, err))
		})
	}
}

func TestRefusedTokenIsNotSentAgain(t *testing.T) {
	t.Parallel()
	dixa := newHost(t, says("ours"))
	s := openStore(t, "/private/a")
	work, err := s.Claims.Load(t.Context(), ref)
	require.NoError(t, err)
	_, hash, err := s.Connections.Token(t.Context(), work.ConnectionID)
	require.NoError(t, err)
	_, err = s.Connections.MarkNeedsToken(t.Context(), work.ConnectionID, hash)
	require.NoError(t, err)
	_, err = fetcher(t, s, dixa.URL, false).Open(t.Context(), ref, "m-1", "1")
	require.Equal(t, files.TokenRefused, reason(t, err))
	require.Empty(t, dixa.paths)
}

func TestBodySizeLimit(t *testing.T) {
	t.Parallel()
	dixa := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			return
		}
		chunk := make([]byte, 1<<20)
		for range 51 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	f := fetcher(t, openStore(t, "/endless", "/half"), dixa.URL, false)
	file, err := f.Open(t.Context(), ref, "m-1", "1")
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, file.Body)
	var large *http.MaxBytesError
	require.ErrorAs(t, err, &large, "the size limit must apply without Content-Length")
	require.EqualValues(t, files.MaxBytes, n)
	require.NoError(t, file.Body.Close())

	file, err = f.Open(t.Context(), ref, "m-1", "2")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, file.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, file.Body.Close())
}

func TestNewRejectsInvalidAddresses(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"files.dixa.io", "ftp://files.dixa.io", "https://me:pw@files.dixa.io", "https://files.dixa.io?a=b", "http://["} {
		_, err := files.New(files.Options{BaseURL: base})
		require.Error(t, err, base)
		require.NotContains(t, err.Error(), "pw@")
	}
	_, err := files.New(files.Options{})
	require.NoError(t, err)
}
