package endtoend_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/quickstart/engine"
)

// encoded matches runs of characters that may be base64, in either alphabet.
var encoded = regexp.MustCompile(`[A-Za-z0-9+/_-]{12,}={0,2}`)

// decoded returns the base64 texts in data, decoded.
func decoded(data []byte) []string {
	var out []string
	for _, run := range encoded.FindAll(data, -1) {
		run = bytes.TrimRight(run, "=")
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if text, err := alphabet.DecodeString(string(run)); err == nil {
				out = append(out, string(text))
			}
		}
	}
	return out
}

func TestPersonalDataIsDetected(t *testing.T) {
	t.Parallel()
	payload := base64.StdEncoding.EncodeToString([]byte(`{"note":"for wilma.kundin@privat.example"}`))
	require.Contains(t, strings.Join(decoded([]byte(`{"data":"`+payload+`"}`)), "\n"), "kundin@privat.example")
}

// A full run with every failure leaves no personal data and no credentials outside
// the store and Dixa. All processes log at debug level.
func TestPersonalDataStaysInTheStore(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "temporal.db")
	e, err := engine.Start(t.Context(), engine.Options{FrontendAddr: "127.0.0.1:0", DataFile: file})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop()) })

	s := newSite(t, siteOptions{engine: e.ClientOptions(), everyStep: true})
	metrics := freeAddress(t)
	worker := s.startWorker("CLAIMFLOW_METRICS_LISTEN=" + metrics)
	refs := s.everythingGoesWrong()

	// What an operator sees in the Temporal UI: histories, memos, cards, lists.
	c := s.temporal()
	for _, ref := range refs {
		requireNothingPersonal(t, "the history of "+ref.ID, s.secrets(), indented(t, s.historyAtRest(ref)))
		about, err := c.DescribeWorkflowExecution(t.Context(), ref.WorkflowID(), "")
		require.NoError(t, err)
		requireNothingPersonal(t, "the description of "+ref.ID, s.secrets(), []byte(about.String()))
		if record := s.record(ref); !record.State.Final() {
			value, err := c.QueryWorkflow(t.Context(), ref.WorkflowID(), "", "__temporal_workflow_metadata")
			require.NoError(t, err)
			var card sdkpb.WorkflowMetadata
			require.NoError(t, value.Get(&card))
			require.Contains(t, card.GetCurrentDetails(), ref.Reference(), "the card must not be empty")
			requireNothingPersonal(t, "the card of "+ref.ID, s.secrets(), []byte(card.GetCurrentDetails()))
		}
		record, err := json.Marshal(s.record(ref))
		require.NoError(t, err)
		requireNothingPersonal(t, "the record of "+ref.ID, s.secrets(), record)
	}
	// A scheduled sweep may also be in the list.
	var list *workflowservice.ListWorkflowExecutionsResponse
	eventually(t, "the list contains every claim", func() error {
		listed, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{})
		if err != nil {
			return err
		}
		list = listed
		shown := map[string]bool{}
		for _, execution := range listed.GetExecutions() {
			shown[execution.GetExecution().GetWorkflowId()] = true
		}
		for _, ref := range refs {
			if !shown[ref.WorkflowID()] {
				return fmt.Errorf("%s is missing from %d workflows", ref, len(shown))
			}
		}
		return nil
	})
	requireNothingPersonal(t, "the list", s.secrets(), []byte(list.String()))

	for name, address := range map[string]string{"starter": s.apiURL, "worker": "http://" + metrics} {
		text := body(t, address+"/metrics")
		require.Contains(t, string(text), "claimflow", "the metrics of the %s must not be empty", name)
		requireNothingPersonal(t, "the metrics of the "+name, s.secrets(), text)
	}
	worker.kill()
	logs := []byte(s.logs.String())
	require.Contains(t, string(logs), `"level":"debug"`)
	requireNothingPersonal(t, "the logs", s.secrets(), logs)

	require.NoError(t, e.Stop())
	files, err := filepath.Glob(file + "*") // including the write-ahead log
	require.NoError(t, err)
	found := false
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		found = found || bytes.Contains(data, []byte(refs[0].WorkflowID()))
		requireNothingPersonal(t, "Temporal's file "+filepath.Base(name), s.secrets(), data)
	}
	require.True(t, found, "Temporal's files must contain the workflow")

	// The store encrypts its data.
	files, err = filepath.Glob(strings.TrimPrefix(s.database, "sqlite:") + "*")
	require.NoError(t, err)
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		requireNothingPersonal(t, "the store's file "+filepath.Base(name), s.secrets(), data)
	}
}

// everythingGoesWrong submits claims that fail in every way that might leak what
// must stay private.
func (s *site) everythingGoesWrong() []claim.Ref {
	s.t.Helper()
	var refs []claim.Ref
	next := func() *claim.Claim { return s.sample(fmt.Sprintf("c-%d", len(refs))) }
	parked := func(c *claim.Claim, cause claim.Cause) claim.Ref {
		ref := s.submit(c)
		require.Equal(s.t, cause, s.awaitState(ref, claim.StateNeedsAttention).Cause)
		refs = append(refs, ref)
		return ref
	}
	echo := func(c *claim.Claim) string {
		return fmt.Sprintf(`{"message":"invalid: %s of %s %s, %s, phone %s, token %s, see %s"}`, c.Customer.Email,
			c.Customer.FirstName, c.Customer.LastName, c.Description, c.Customer.Phone, dixaToken, c.Items[0].ImageURLs[0])
	}

	// Everything succeeds.
	ref := s.submit(next())
	s.awaitState(ref, claim.StateOpen)
	refs = append(refs, ref)

	// Dixa's refusals quote the request: a lookup, a create, the tags, the note.
	for _, operation := range []string{"GET /endusers", "POST /endusers", "POST /conversations", "POST /conversations/{conversationId}/tags/bulk", "POST /conversations/{conversationId}/notes"} {
		c := next()
		s.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultStatus, Status: 409, Body: echo(c), Times: 1})
		parked(c, claim.CauseRefused)
	}
	// Replies and connections are lost, or replies are not JSON but still quote the
	// request.
	for _, kind := range []string{server.FaultDropBefore, server.FaultDropAfter, server.FaultTruncate, server.FaultGarbage} {
		for _, operation := range []string{"GET /endusers", "POST /endusers", "POST /conversations"} {
			c := next()
			s.dixa.Inject(server.Fault{Operation: operation, Kind: kind, Body: echo(c), Times: 1})
			ref := s.submit(c)
			s.awaitState(ref, claim.StateOpen)
			refs = append(refs, ref)
		}
	}
	// The address belongs to an agent.
	c := next()
	c.Customer.Email = server.SeedAgentBenEmail
	parked(c, claim.CauseCustomer)

	// A template of an earlier version that does not render.
	require.NoError(s.t, s.store.Templates.Put(s.t.Context(), shop, "damaged", "de",
		json.RawMessage(`{"subject":"x","format":"text","body":"{{ .Description }} {{ .Description.Gone }}"}`)))
	parked(next(), claim.CauseTemplate)
	require.NoError(s.t, s.api.DeleteTemplate(s.t.Context(), shop, "damaged", "de"))

	// The same ID with other content, and an invalid claim: errors quote only the
	// names of their fields.
	other := s.sample(refs[0].ID)
	other.Description = "Zerschellt, once more"
	for _, wrong := range []*claim.Claim{other, {ID: "c-x", Shop: shop, Customer: claim.Customer{Email: "kundin@privat.example@"}}} {
		_, answer := s.post(wrong)
		requireNothingPersonal(s.t, "the error response", s.secrets(), []byte(answer))
	}

	// The token is rejected, in a message that quotes it.
	c = next()
	s.dixa.Inject(server.Fault{Operation: "GET /endusers", Kind: server.FaultStatus, Status: 401, Body: echo(c), Times: 1})
	parked(c, claim.CauseConnection)
	s.dixa.Revoke(dixaToken)
	_, err := s.api.Connect(s.t.Context(), shop, dixaToken)
	require.True(s.t, client.HasCode(err, client.CodeTokenRefused), "%v", err)
	requireNothingPersonal(s.t, "the error for the rejected token", s.secrets(), []byte(err.Error()))
	return refs
}

// body reads a document.
func body(t *testing.T, url string) []byte {
	t.Helper()
	r, err := http.Get(url)
	require.NoError(t, err)
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return data
}
