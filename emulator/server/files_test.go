package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// gallery serves files for attachments to point to.
func gallery(t *testing.T) string {
	t.Helper()
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/photo.jpg", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write([]byte("a photo"))
	})
	mux.HandleFunc("/gone.jpg", http.NotFound)
	mux.HandleFunc("/big.jpg", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Repeat("x", 100))) })
	mux.HandleFunc("/moved.jpg", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/photo.jpg", http.StatusFound)
	})
	mux.HandleFunc("/slow.jpg", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	web := httptest.NewServer(mux)
	t.Cleanup(func() { close(release); web.Close() })
	return web.URL
}

func TestAttachmentsAreCopied(t *testing.T) {
	t.Parallel()
	files := gallery(t)
	d := start(t, server.Options{})
	d.do(http.MethodPost, "/conversations", mail(d.customer("a@example.org"), "", files+"/photo.jpg", files+"/moved.jpg"), http.StatusCreated)
	var messages []struct {
		Attributes struct {
			Attachments []struct {
				URL        string `json:"url"`
				PrettyName string `json:"prettyName"`
			} `json:"attachments"`
		} `json:"attributes"`
	}
	d.do(http.MethodGet, "/conversations/1001/messages", nil, http.StatusOK).data(&messages)
	attachments := messages[0].Attributes.Attachments
	require.Len(t, attachments, 2)
	require.Regexp(t, "^"+d.url+"/files/private/"+server.SeedOrganization+"/attachment/", attachments[0].URL)
	require.Equal(t, "photo.jpg", attachments[0].PrettyName)
	require.Equal(t, "a photo", d.download(attachments[0].URL, "demo-token"))
	require.Contains(t, d.download(attachments[0].URL, "wrong"), "Unauthorized")
	d.do(http.MethodGet, strings.TrimPrefix(attachments[0].URL, d.url), nil, http.StatusUnauthorized) // the API's form of the token
	page := string(d.do(http.MethodGet, "/_emulator/", nil, http.StatusOK).body)
	path := strings.TrimPrefix(attachments[0].URL, d.url+"/files")
	require.Contains(t, page, `<img src="/_emulator/files`+path+`"`, "the page does not show the photo")
	shown := d.do(http.MethodGet, "/_emulator/files"+path, nil, http.StatusOK)
	require.Equal(t, "a photo", string(shown.body))
	require.Equal(t, "sandbox", shown.header.Get("Content-Security-Policy"))
	d.do(http.MethodGet, "/_emulator/files/private/none", nil, http.StatusNotFound)
	require.Equal(t, files+"/photo.jpg", d.State().Conversations[0].Messages[0].Attachments[0].Source)
}

func TestFailedAttachmentDownloads(t *testing.T) {
	t.Parallel()
	files := gallery(t)
	for name, test := range map[string]struct {
		switches server.Switches
		address  string
	}{
		"not found":        {server.Switches{}, files + "/gone.jpg"},
		"host unreachable": {server.Switches{}, "http://127.0.0.1:1/photo.jpg"},
		"other scheme":     {server.Switches{}, "file:///etc/passwd"},
		"invalid URL":      {server.Switches{}, "://"},
		"too large":        {server.Switches{MaxAttachmentBytes: 99}, files + "/big.jpg"},
		"too slow":         {server.Switches{AttachmentTimeout: server.Duration(10 * time.Millisecond)}, files + "/slow.jpg"},
		"redirect refused": {server.Switches{AttachmentRedirects: "refused"}, files + "/moved.jpg"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{Switches: test.switches})
			body := mail(d.customer("a@example.org"), "", files+"/photo.jpg", test.address)
			refused := d.do(http.MethodPost, "/conversations", body, http.StatusBadRequest)
			require.Equal(t, "Failure to download attachment", refused.message(), "the message must not name the attachment")
			require.Empty(t, d.State().Conversations)
		})
	}
}
