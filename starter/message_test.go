package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

func TestClaimFilesDownloads(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("the bytes of " + r.URL.Path))
	}))
	t.Cleanup(host.Close)
	b := newBench(t)
	b.connected("acme")
	b.ok("claim", "submit", "-f", b.file("claim.json", aClaim))
	ref := claim.Ref{Shop: "acme", ID: "c-1"}
	shop, err := b.store.Shops.Get(t.Context(), "acme")
	require.NoError(t, err)
	require.NoError(t, b.store.Links.Create(t.Context(), store.LinkInput{Ref: ref, ConnectionID: shop.Connection.ID, ConversationID: 7}))
	message := func(id string, minute int, files ...claim.MessageAttachment) mirror.Message {
		return mirror.Message{Message: claim.Message{ID: id, Kind: claim.MessageKind, Direction: claim.DirectionInbound, At: time.Date(2026, 3, 1, 9, minute, 0, 0, time.UTC), Attachments: files}}
	}
	require.NoError(t, b.store.Conversations.Apply(t.Context(), store.EventEffects{Ref: ref, State: claim.StateReceived, ConversationID: 7, Messages: []mirror.Message{
		message("m-2", 2, claim.MessageAttachment{ID: "1", Name: "gone.jpg", Source: host.URL + "/gone"}),
		message("m-1", 1, claim.MessageAttachment{ID: "1", Name: "../../mug\x1b[31m.jpg", Source: host.URL + "/a"}, claim.MessageAttachment{ID: "2", Name: "mug.jpg", Source: host.URL + "/b"}),
	}}))
	folder := filepath.Join(t.TempDir(), "evidence")
	kept := filepath.Join(folder, "02-mug.jpg")
	require.NoError(t, os.Mkdir(folder, 0o700))
	require.NoError(t, os.WriteFile(kept, []byte("saved before"), 0o600))

	code, out, words := b.run("", "claim", "files", "acme", "c-1", "--to", folder)
	require.Equal(t, exitFailed, code, words)
	require.Contains(t, out, "not saved: ")
	require.Contains(t, out, "no longer exists")
	for path, want := range map[string]string{filepath.Join(folder, "01-.._.._mug·[31m.jpg"): "the bytes of /a", kept: "saved before"} {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, string(data))
	}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 2, "a failed download leaves no file")
	require.Contains(t, b.fails(exitRefused, "claim", "files", "acme", "c-9", "--to", folder), "starter claim list acme")
}

func TestWithoutMarkup(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2 < 3 & so on": "2 < 3 & so on",
		"<p>The mug &amp; its <b>lid</b><br>broke.</p><p>Sorry</p>": "The mug & its lid broke. Sorry",
		"</": "</",
	} {
		require.Equal(t, want, strings.Join(strings.Fields(withoutMarkup(text)), " "))
	}
}
