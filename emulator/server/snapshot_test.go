package server_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	clock := newClock()
	slow := server.Switches{BulkTagDelay: server.Duration(time.Minute), AnonymizationDelay: server.Duration(time.Minute)}
	before := start(t, server.Options{Clock: clock.Now, Switches: slow})
	requester := before.customer("a@example.org")
	files := gallery(t)
	before.do(http.MethodPost, "/conversations", mail(requester, "key", files+"/photo.jpg"), http.StatusCreated)
	before.do(http.MethodPatch, "/conversations/1001/custom-attributes", object{server.SeedAttrReason: []string{"claim"}}, http.StatusOK)
	before.do(http.MethodPost, "/conversations/1001/tags/bulk", object{"data": []object{{"name": "claim"}}}, http.StatusAccepted)
	before.do(http.MethodPut, "/conversations/1001/followup", object{"timestamp": clock.Now().Add(time.Minute)}, http.StatusNoContent)
	other := before.customer("b@example.org")
	before.do(http.MethodPatch, "/endusers/"+other+"/anonymize", nil, http.StatusAccepted)
	var saved bytes.Buffer
	require.NoError(t, before.Save(&saved))

	after := start(t, server.Options{Clock: clock.Now, Switches: slow})
	require.NoError(t, after.Load(&saved))
	require.Equal(t, before.State(), after.State())
	after.do(http.MethodPost, "/conversations", mail(requester, "key"), http.StatusBadRequest)
	require.EqualValues(t, 1002, after.open(requester), "conversation ids restarted")
	require.NotEqual(t, requester, after.customer("c@example.org"))
	path := after.State().Conversations[0].Messages[0].Attachments[0].Path
	require.Equal(t, "a photo", after.download(after.url+"/files"+path, "demo-token"))
	var hits []object
	after.do(http.MethodPost, "/search/conversations", object{"filters": object{"strategy": "All", "conditions": []object{
		{"field": object{"_type": "CustomAttribute", "attributeId": server.SeedAttrReason, "operator": object{"_type": "IsOneOf", "values": [][]string{{"claim"}}}}},
	}}}, http.StatusOK).data(&hits)
	require.Len(t, hits, 1)

	clock.Advance(time.Minute)
	state := after.State()
	require.Equal(t, []string{"claim"}, state.Conversations[0].TagNames, "the pending bulk tag was lost")
	require.Equal(t, server.StateOpen, state.Conversations[0].State, "the pending follow-up was lost")
	require.Equal(t, "Anonymized", state.EndUsers[1].DisplayName, "the pending anonymization was lost")
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	d.open(d.customer("a@example.org"))
	state := d.State()
	require.ErrorContains(t, d.Load(strings.NewReader("{")), "load emulator state")
	require.ErrorContains(t, d.Load(strings.NewReader(`{"version":0}`)), "written by an incompatible version")
	require.Equal(t, state, d.State())
}

func TestKeepFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dixa.json")
	d := start(t, server.Options{})
	require.NoError(t, d.LoadFile(path), "a missing file is not an error")
	requester := d.customer("a@example.org")
	ctx, cancel := context.WithCancel(t.Context())
	kept := make(chan error, 1)
	go func() { kept <- d.KeepFile(ctx, path, time.Millisecond) }()
	require.Eventually(t, func() bool { _, err := os.Stat(path); return err == nil }, 10*time.Second, time.Millisecond)
	d.open(requester)
	cancel()
	require.NoError(t, <-kept)

	again := start(t, server.Options{})
	require.NoError(t, again.LoadFile(path))
	require.Equal(t, d.State(), again.State())
	leftovers, err := filepath.Glob(path + ".*")
	require.NoError(t, err)
	require.Empty(t, leftovers)
	require.ErrorContains(t, d.SaveFile(filepath.Join(path, "dixa.json")), "save emulator state")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	require.ErrorContains(t, again.LoadFile(path), path)
}
