package endtoend_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/fromowner/karla"
	"github.com/claimflow/claimflow/store"
)

// The owner of a claim accepts it through REST and withdraws it through Karla's
// webhook.
func TestOwnerChangesReachDixa(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.work()
	const secret = "karla-secret-of-the-platform"
	_, err := s.api.SaveKarlaSecret(t.Context(), "", secret)
	require.NoError(t, err)
	ref := s.submit(s.sample("c-1"))
	s.awaitState(ref, claim.StateOpen)

	_, err = s.api.Update(t.Context(), ref, json.RawMessage(`{"status": "accepted"}`))
	require.NoError(t, err)
	tagged := func(tag string) func() error {
		return func() error {
			if c := s.dixa.State().Conversations[0]; !slices.Contains(c.TagNames, tag) {
				return fmt.Errorf("got tags %v", c.TagNames)
			}
			return nil
		}
	}
	eventually(t, "the conversation has the status tag", tagged("claim-accepted"))

	body := fmt.Sprintf(`{"ref":"claims/updated","event_group":"claim_updated","event_data":{"claim_id":%q,"status":"withdrawn"},"shop_slug":%q}`, ref.ID, ref.Shop)
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.apiURL+"/webhooks/karla", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set(karla.SignatureHeader, karla.Sign([]byte(body), secret, time.Now()))
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	closed := s.awaitState(ref, claim.StateClosed)
	require.Equal(t, "withdrawn", closed.Status)
	require.Equal(t, claim.ByOwner, closed.StatusBy)
	eventually(t, "the conversation is closed in Dixa", func() error {
		if c := s.dixa.State().Conversations[0]; c.State != server.StateClosed {
			return errors.New("got state " + c.State)
		}
		return nil
	})
	require.NoError(t, tagged("claim-withdrawn")())
	require.Equal(t, 1, s.dixa.Stats().ByOperation["PUT /conversations/{conversationId}/close"])
}

// The process that received an event from Karla died before it acted on it: the
// event is stored, but no process was notified. Another process applies it once.
func TestOrphanedOwnerEventIsApplied(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.work()
	ref := s.submit(s.sample("c-1"))
	s.awaitState(ref, claim.StateOpen)
	body := fmt.Sprintf(`{"ref":"claims/updated","event_data":{"claim_id":%q,"status":"accepted"},"shop_slug":%q}`, ref.ID, ref.Shop)
	event, err := karla.ParseEvent([]byte(body))
	require.NoError(t, err)
	fresh, err := s.store.OwnerInbox.Receive(t.Context(), store.OwnerEvent{Shop: ref.Shop, ID: event.ID, Ref: event.Ref, ClaimID: event.ClaimID, Body: []byte(body)})
	require.NoError(t, err)
	require.True(t, fresh)
	s.await(ref, "accepted by the owner", func(r claim.Record) bool { return r.Status == claim.StatusAccepted && r.StatusBy == claim.ByOwner })
	eventually(t, "the conversation has the status tag", func() error {
		if c := s.dixa.State().Conversations[0]; !slices.Contains(c.TagNames, "claim-accepted") {
			return fmt.Errorf("got tags %v", c.TagNames)
		}
		return nil
	})
	require.Equal(t, 2, s.dixa.Stats().ByOperation["POST /conversations/{conversationId}/tags/bulk"], "the opening and the change must send one tag request each")
}
