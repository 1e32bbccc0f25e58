package endtoend_test

import (
	"testing"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// It is unknown what Dixa does with an externalId. Each variant must succeed, even
// if Dixa's lists show a new conversation late. The window is short to keep the
// tests short.
func TestLostResponseLeavesOneConversation(t *testing.T) {
	t.Parallel()
	for _, reading := range []string{server.ExternalIDOrganization, server.ExternalIDConversation, server.ExternalIDStored, server.ExternalIDDropped} {
		options := siteOptions{
			switches: server.Switches{ExternalID: reading, ListLag: server.Duration(2 * time.Second)},
			settings: map[string]any{"commit_window": "1s", "list_lag": "3s"},
		}
		t.Run(reading, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, options)
			s.work()
			s.gate.at("POST /v1/conversations", afterCommit, func() {})
			ref := s.submit(s.sample("c-1"))
			s.requireOne(s.awaitState(ref, claim.StateOpen))
		})
		t.Run(reading+", killed worker", func(t *testing.T) {
			t.Parallel()
			s := newSite(t, options)
			killAt(s, "POST /v1/conversations", afterCommit)
		})
		t.Run(reading+", not committed", func(t *testing.T) {
			t.Parallel()
			s := newSite(t, options)
			s.work()
			s.gate.at("POST /v1/conversations", beforeCommit, func() {})
			ref := s.submit(s.sample("c-1"))
			s.requireOne(s.awaitState(ref, claim.StateOpen))
		})
	}
}
