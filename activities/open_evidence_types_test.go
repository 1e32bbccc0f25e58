package activities_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// The note names documents that Dixa rejects and types that the shop does not accept.
// Neither prevents the claim from being opened.
func TestFilesOfRejectedTypeAreListed(t *testing.T) {
	t.Parallel()
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := "%PDF-1.7\n"
		if r.URL.Path == "/film" {
			body = "\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42"
		}
		_, _ = w.Write([]byte(body)) // a disconnected reader is not a test failure
	}))
	t.Cleanup(files.Close)
	for _, types := range []string{"any", "images", "images-pdf"} {
		t.Run(types, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{AttachmentTypes: types}, map[string]any{"evidence": map[string]any{"types": map[string]any{"mp4": 0}}})
			c := b.sample("c-1")
			c.ImageURLs = append(c.ImageURLs, files.URL+"/report", files.URL+"/film")
			ref := b.accept(c)
			_, err := b.open(ref)
			require.NoError(t, err)
			require.NoError(t, runVoid(b, steps.SendSeparately, ref))
			require.NoError(t, runVoid(b, steps.AddNote, ref))
			b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened})

			conversation, _ := b.conversation()
			names := map[string]bool{}
			for _, m := range conversation.Messages {
				for _, f := range m.Attachments {
					names[f.PrettyName] = true
				}
			}
			require.Equal(t, map[string]bool{
				"MUG-01-photo-1.jpg": true, "photo-1.jpg": true, "signature.jpg": true, "document-2.pdf": types != "images",
			}, withFalse(names, "document-2.pdf"))
			note := conversation.Notes[0].Text
			require.Contains(t, note, "the file type is not accepted: video/mp4")
			if types == "images" {
				require.Contains(t, note, "document-2.pdf")
			}
		})
	}
}

// withFalse adds the key as false if the set lacks it.
func withFalse(set map[string]bool, key string) map[string]bool {
	set[key] = set[key] || false
	return set
}
