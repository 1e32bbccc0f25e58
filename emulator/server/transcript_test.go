package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

var update = flag.Bool("update", false, "rewrite the recorded responses")

// TestTranscript replays a claim's life and compares each reply, byte for byte, with
// the recorded one. It does not need Dixa's OpenAPI file. After an intended change,
// run with -update and review the diff.
func TestTranscript(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now, Switches: server.Switches{AutoReply: true}})
	files := gallery(t)
	var record bytes.Buffer
	step := func(method, path string, body any) answer {
		t.Helper()
		clock.Advance(time.Second)
		got, err := d.send(method, path, body)
		require.NoError(t, err)
		fmt.Fprintf(&record, "%s %s", method, path)
		if body != nil {
			sent, err := json.Marshal(body)
			require.NoError(t, err)
			fmt.Fprintf(&record, " %s", sent)
		}
		fmt.Fprintf(&record, "\n%d", got.status)
		if len(got.body) > 0 {
			record.WriteByte('\n')
			require.NoError(t, json.Indent(&record, got.body, "", "  "))
		}
		record.WriteString("\n\n")
		return got
	}
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete

	step(get, "/organization", nil)
	step(get, "/endusers?email=eva@example.org", nil)
	var user struct {
		ID string `json:"id"`
	}
	step(post, "/endusers", object{"email": "eva@example.org", "displayName": "Eva Example", "externalId": "c-7"}).data(&user)
	step(post, "/endusers", object{"email": "Eva@example.org"})
	step(post, "/conversations", mail(user.ID, "claim-1/open", files+"/gone.jpg"))
	step(post, "/conversations", mail(user.ID, "claim-1/open-2", files+"/photo.jpg"))
	step(post, "/conversations", mail(user.ID, "claim-1/open-2"))
	step(post, "/conversations/1001/tags/bulk", object{"data": []object{{"name": "claim"}, {"name": "claim-reason-damaged"}}})
	step(get, "/conversations/1001/tags", nil)
	step(post, "/conversations/1001/notes", object{"message": "Value 49.90 EUR", "agentId": server.SeedAgentAnna})
	step(patch, "/conversations/1001/custom-attributes", object{server.SeedAttrOrderNumber: "10001"})
	step(put, "/conversations/1001/claim", object{"agentId": server.SeedAgentAnna, "force": false})
	step(put, "/conversations/1001/followup", object{"timestamp": "2026-03-03T08:00:00Z"})
	step(get, "/conversations/1001", nil)
	step(post, "/conversations/1001/messages", object{"_type": "Outbound", "agentId": server.SeedAgentAnna, "content": object{"_type": "Html", "value": "<p>On its way</p>"}, "externalId": "claim-1/reply-1"})
	step(put, "/conversations/1001/close", nil)
	step(get, "/endusers/"+user.ID+"/conversations", nil)
	step(get, "/conversations/1001/messages", nil)
	step(get, "/conversations/1001/notes", nil)
	step(get, "/conversations/1001/activitylog", nil)
	step(get, "/search/conversations?query=10001", nil)
	step(get, "/contact-endpoints", nil)
	step(get, "/custom-attributes", nil)
	step(get, "/agents?pageLimit=2", nil)
	step(get, "/agents/presence", nil)
	step(get, "/queues", nil)
	step(del, "/conversations/1001/tags/"+server.SeedTeamCare, nil)
	step(get, "/conversations/7", nil)
	step(get, "/endusers/7", nil)

	got := strings.NewReplacer(d.url, "http://dixa.test", files, "http://files.test").Replace(record.String())
	path := filepath.Join("testdata", "transcript.txt")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
