package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func event(sequence int64) claim.Notice {
	return claim.Notice{Type: claim.OutboundClosed, Data: claim.NoticeData{Ref: claim.Ref{Shop: demoShop, ID: "c-1"}, Sequence: sequence}}
}

// The demo's endpoint finds defects: a missing event, including the first one, and
// two events with the same number.
func TestOwnerDetectsGapsAndDuplicates(t *testing.T) {
	t.Parallel()
	o := &owner{events: map[string][]ownerEvent{}}
	o.record("b", event(2))
	require.ErrorContains(t, o.lacks("c-1"), "event 1")
	o.record("a", event(1)) // an event from an earlier run arrives late
	o.record("b", event(2)) // the same event again
	require.NoError(t, o.lacks("c-1"))
	require.NoError(t, o.err())
	o.record("d", event(4))
	require.ErrorContains(t, o.lacks("c-1"), "event 3")
	o.record("x", event(2))
	require.ErrorContains(t, o.err(), "two events have the sequence number 2")
	require.EqualValues(t, 4, o.last("c-1").Sequence)
}

func TestOwnerAcceptsOnlySignedEvents(t *testing.T) {
	t.Parallel()
	o := &owner{events: map[string][]ownerEvent{}}
	send := func() int {
		w := httptest.NewRecorder()
		o.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"type":"claim.closed","data":{"claim_id":"c-1","sequence":1}}`)))
		return w.Code
	}
	require.Equal(t, http.StatusServiceUnavailable, send(), "the sender retries until the secret is available")
	require.NoError(t, o.err())
	require.NoError(t, o.trust("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	require.Equal(t, http.StatusBadRequest, send())
	require.ErrorContains(t, o.err(), "invalid event")
	require.Zero(t, o.last("c-1"))
}
