package endtoend_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	temporal "go.temporal.io/sdk/client"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/quickstart/engine"
)

// Temporal starts, stops and restarts while claims keep being accepted.
func TestClaimsAreAcceptedWhileTemporalIsDown(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	s := newSite(t, siteOptions{engine: temporal.Options{HostPort: address, Namespace: "default"}})
	s.work() // waits for Temporal
	options := engine.Options{FrontendAddr: address, DataFile: filepath.Join(t.TempDir(), "temporal.db")}

	var refs []claim.Ref
	submit := func() {
		ref := s.submit(s.sample(fmt.Sprintf("c-%d", len(refs))))
		require.Equal(t, claim.StateReceived, s.record(ref).State)
		refs = append(refs, ref)
	}
	up := func() *engine.Engine {
		e, err := engine.Start(t.Context(), options)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Stop()) })
		return e
	}
	submit()
	s.awaitReady("the service reports degraded and stays ready", func(body string) bool { return strings.Contains(body, "degraded") })
	taken, err := s.api.Submit(t.Context(), s.sample("who-waits"), client.Wait(client.MaxWait))
	require.NoError(t, err)
	require.Equal(t, claim.StateReceived, taken.Claim.State, "a submit must not wait for an unavailable Temporal")
	refs = append(refs, taken.Claim.Ref)
	e := up()
	s.awaitState(refs[0], claim.StateOpen)
	s.awaitReady("the service reports nothing degraded", func(body string) bool { return !strings.Contains(body, "degraded") })
	require.NoError(t, e.Stop())
	submit()
	submit()
	up()
	for _, ref := range refs {
		s.awaitState(ref, claim.StateOpen)
	}
	require.Len(t, s.dixa.State().Conversations, len(refs))
	require.Len(t, s.dixa.State().EndUsers, len(refs))
}

func TestNothingIsAcceptedWhileStoreIsDown(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]func(*site) (up func()){
		"locked": (*site).lockStore,
		"closed": (*site).closeStore,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, siteOptions{})
			c := s.sample("c-1")
			up := down(s)

			status, body := s.post(c)
			require.Equal(t, http.StatusServiceUnavailable, status, body)
			require.Contains(t, body, client.CodeUnavailable)
			require.NotContains(t, body, c.Customer.Email)
			up()

			_, err := s.api.Claim(t.Context(), claim.Ref{Shop: shop, ID: c.ID})
			require.True(t, client.HasCode(err, client.CodeNotFound), "the claim must not be stored: %v", err)
			ref := s.submit(c)
			s.work()
			s.requireOne(s.awaitState(ref, claim.StateOpen))
		})
	}
}

// lockStore has another process lock the store exclusively.
func (s *site) lockStore() (up func()) {
	s.t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(s.database, "sqlite:"))
	require.NoError(s.t, err)
	db.SetMaxOpenConns(1)
	// Claimflow may be writing at this moment.
	_, err = db.ExecContext(s.t.Context(), "PRAGMA busy_timeout = 60000")
	require.NoError(s.t, err)
	_, err = db.ExecContext(s.t.Context(), "BEGIN IMMEDIATE")
	require.NoError(s.t, err)
	return func() { require.NoError(s.t, db.Close()) }
}

// closeStore closes the process's store. Afterwards another process takes over.
func (s *site) closeStore() (up func()) {
	s.t.Helper()
	require.NoError(s.t, s.store.Close())
	return func() {
		s.assemble()
		s.serve()
	}
}

// awaitReady waits for what a service that stays ready says of itself.
func (s *site) awaitReady(what string, holds func(body string) bool) {
	s.t.Helper()
	eventually(s.t, what, func() error {
		if body := s.ready(); !holds(body) {
			return errors.New(body)
		}
		return nil
	})
}

// ready returns the answer of /readyz while claims are accepted.
func (s *site) ready() string {
	s.t.Helper()
	r, err := http.Get(s.apiURL + "/readyz")
	require.NoError(s.t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, r.StatusCode)
	return string(body)
}

// post submits a claim once, without the client's retries.
func (s *site) post(c *claim.Claim) (status int, body string) {
	s.t.Helper()
	data, err := json.Marshal(c)
	require.NoError(s.t, err)
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.apiURL+"/v1/shops/"+shop+"/claims", bytes.NewReader(data))
	require.NoError(s.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.apiKey)
	answer, err := new(http.Client).Do(r)
	require.NoError(s.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	return answer.StatusCode, string(text)
}
