package endtoend_test

import (
	"strings"
	"testing"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// opening are the requests to Dixa that open a claim of a new customer with every
// optional step.
var opening = []string{
	"GET /v1/endusers",
	"POST /v1/endusers",
	"POST /v1/conversations",
	"POST /v1/conversations/*/tags/bulk",
	"PUT /v1/conversations/*/claim",
	"PATCH /v1/conversations/*/custom-attributes",
	"POST /v1/conversations/*/notes",
}

// forgetful is the least helpful Dixa: it drops externalId, so it never rejects a
// second create, and its reads show writes late.
var forgetful = server.Switches{ExternalID: server.ExternalIDDropped, ListLag: server.Duration(300 * time.Millisecond)}

func TestKilledWorkerLeavesOneConversation(t *testing.T) {
	t.Parallel()
	for _, operation := range opening {
		for _, m := range []moment{beforeCommit, afterCommit, afterReply} {
			t.Run(strings.ReplaceAll(operation, "/", ".")+" "+string(m), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, siteOptions{everyStep: true, switches: forgetful})
				killAt(s, operation, m)
			})
		}
	}
}

// A file that is sent by itself is one more write, guarded by its own intent.
func TestKilledWorkerDuringSeparateFiles(t *testing.T) {
	t.Parallel()
	for _, m := range []moment{beforeCommit, afterCommit, afterReply} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, siteOptions{everyStep: true, switches: forgetful})
			s.dixa.Inject(oneByOne)
			killAt(s, "POST /v1/conversations/*/messages", m)
		})
	}
}

// oneByOne makes Dixa reject files in a create.
var oneByOne = server.Fault{
	Operation: "POST /conversations", Kind: server.FaultStatus, Times: 1,
	Status: 400, Body: `{"message":"Failure to download attachment"}`,
}

// killAt submits a claim, kills the only worker at a given moment of the opening,
// and checks the result with a new worker.
func killAt(s *site, operation string, m moment) {
	s.t.Helper()
	w := s.onlyWorker()
	killed := make(chan struct{})
	s.gate.at(operation, m, w.killNow(killed))
	ref := s.submit(s.sample("c-1"))
	w.replace(killed)
	s.requireOne(s.awaitState(ref, claim.StateOpen))
}
