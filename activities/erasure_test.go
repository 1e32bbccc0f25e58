package activities_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// eraser runs the steps of an erasure as its workflow does.
type eraser struct {
	*bench
	erasure claim.Erasure
	ref     activities.ErasureRef
}

// erasing begins an erasure in the bench's shop.
func (b *bench) erasing(r claim.ErasureRequest) *eraser {
	b.Helper()
	e, _, err := b.store.Erasures.Begin(b.Context(), shop, r)
	require.NoError(b, err)
	return &eraser{bench: b, erasure: e, ref: activities.ErasureRef{Shop: shop, ID: e.ID}}
}

func (e *eraser) environment() *testsuite.TestActivityEnvironment {
	env := e.bench.environment()
	env.RegisterActivity(&activities.Erasures{Store: e.store, Clients: e.clients})
	env.RegisterActivity(&activities.ErasureStore{Store: e.store})
	return env
}

func eraseStep[R any](e *eraser, activity, in any) (R, error) {
	var out R
	value, err := e.environment().ExecuteActivity(activity, in)
	if err == nil && value.HasValue() {
		err = value.Get(&out)
	}
	return out, err
}

var (
	erasures     *activities.Erasures
	erasureStore *activities.ErasureStore
)

// find runs the steps that find the customer.
func (e *eraser) find() {
	e.Helper()
	_, err := eraseStep[struct{}](e, erasures.FindErasureEndUsers, e.ref)
	require.NoError(e, err)
	_, err = eraseStep[struct{}](e, erasureStore.FindErasureRows, e.ref)
	require.NoError(e, err)
}

// stop abandons the claims; their workflows read that at once.
func (e *eraser) stop() {
	e.Helper()
	_, err := eraseStep[activities.StopProgress](e, erasureStore.StopErasureClaims, e.ref)
	require.NoError(e, err)
	claims, err := e.store.Erasures.Subjects(e.Context(), e.ref.ID, store.SubjectClaim, false)
	require.NoError(e, err)
	for _, x := range claims {
		e.load(claim.Ref{Shop: shop, ID: x.ID})
	}
	progress, err := eraseStep[activities.StopProgress](e, erasureStore.StopErasureClaims, e.ref)
	require.NoError(e, err)
	require.Zero(e, progress.Unread)
}

// anonymize asks Dixa until it has finished, for at most the given number of times. It
// retries as Temporal does.
func (e *eraser) anonymize(times int) activities.AnonymizeProgress {
	e.Helper()
	var progress activities.AnonymizeProgress
	for range times {
		var err error
		progress, err = eraseStep[activities.AnonymizeProgress](e, erasures.AnonymizeEndUsers, e.ref)
		if err != nil {
			require.False(e, failure(e.T, err).NonRetryable(), "%v", err)
			progress.Left = -1
			continue
		}
		if progress.Left == 0 {
			break
		}
	}
	return progress
}

// end erases, verifies and ends the erasure.
func (e *eraser) end() claim.Erasure {
	e.Helper()
	_, err := eraseStep[struct{}](e, erasureStore.EraseRows, activities.EraseInput{ErasureRef: e.ref})
	require.NoError(e, err)
	var leftovers map[string]int
	if !e.erasure.DryRun {
		leftovers, err = eraseStep[map[string]int](e, erasureStore.VerifyErasure, e.ref)
		require.NoError(e, err)
	}
	done, err := eraseStep[claim.Erasure](e, erasureStore.EndErasure, activities.EndErasureInput{ErasureRef: e.ref, Leftovers: leftovers})
	require.NoError(e, err)
	return done
}

// openedFor opens a claim's conversation in the emulated Dixa.
func (b *bench) openedFor(id, email string) claim.Ref {
	b.Helper()
	c := b.sample(id)
	c.Customer.Email = email
	ref := b.accept(c)
	_, err := b.open(ref)
	require.NoError(b, err)
	return ref
}

// user returns an end user of the emulated Dixa.
func (b *bench) user(id string) *server.EndUser {
	for _, u := range b.dixa.State().EndUsers {
		if u.ID == id {
			return u
		}
	}
	return nil
}

func (b *bench) endUserOf(ref claim.Ref) string {
	b.Helper()
	w, err := b.store.Claims.Load(b.Context(), ref)
	require.NoError(b, err)
	return w.EndUserID
}

func TestEraseCustomer(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	first, second := b.openedFor("c-1", "Ada@customer.example"), b.openedFor("c-2", "ada@customer.example")
	other := b.openedFor("c-3", "ada@customer.example.org")
	ada, eva := b.endUserOf(first), b.endUserOf(other)
	require.Equal(t, ada, b.endUserOf(second))

	e := b.erasing(claim.ErasureRequest{Email: "ada@Customer.example"})
	e.find()
	e.stop()
	require.Zero(t, e.anonymize(3).Left)
	done := e.end()
	require.Equal(t, claim.ErasureDone, done.State, done.Why)
	require.Equal(t, []claim.ErasureAnswer{{Result: claim.AnswerAnonymized}}, done.Report.Dixa)
	require.Equal(t, []int{2, 2, 1, 2}, []int{done.Report.Claims, done.Report.Conversations, done.Report.EndUsers, done.Report.Stopped})
	require.NotZero(t, b.user(ada).AnonymizedAt)
	require.Zero(t, b.user(eva).AnonymizedAt)
	for ref, kept := range map[claim.Ref]bool{first: false, second: false, other: true} {
		body, err := b.store.Claims.LatestBody(t.Context(), ref)
		require.NoError(t, err)
		require.Equal(t, kept, body.Customer.Email != "", ref)
	}
	require.Equal(t, claim.StateOpening, b.load(other).State)

	// The same person makes a new claim, which gets a new end user.
	again := b.openedFor("c-4", "ada@customer.example")
	require.NotEqual(t, ada, b.endUserOf(again))
}

func TestEraseSurvivesWhatDixaDoes(t *testing.T) {
	t.Parallel()
	const anonymize, request = "PATCH /endusers/{userId}/anonymize", "GET /anonymization/request/{requestId}"
	for name, test := range map[string]struct {
		switches server.Switches
		fault    server.Fault
		want     claim.ErasureAnswer
		state    claim.ErasureState
	}{
		"429": {fault: server.Fault{Operation: anonymize, Kind: server.FaultStatus, Status: 429, Times: 2}},
		"5xx": {fault: server.Fault{Operation: anonymize, Kind: server.FaultStatus, Status: 503, Times: 2}},
		"a lost answer": {
			fault: server.Fault{Operation: anonymize, Kind: server.FaultDropAfter, Times: 1},
		},
		"a late answer": {
			fault: server.Fault{Operation: anonymize, Kind: server.FaultLate, Delay: server.Duration(10 * time.Second), Times: 1},
		},
		"a request in progress": {
			fault: server.Fault{Operation: anonymize, Kind: server.FaultStatus, Status: 409, Times: 2},
		},
		"a lost request": {
			fault: server.Fault{Operation: request, Kind: server.FaultStatus, Status: 404, Times: 1},
		},
		"requests that the token may not read": {
			fault: server.Fault{Operation: request, Kind: server.FaultStatus, Status: 401, Body: `{"message":"User is unauthorized to perform an underlying operation"}`},
		},
		"no such end user": {
			fault: server.Fault{Operation: anonymize, Kind: server.FaultStatus, Status: 404}, want: claim.ErasureAnswer{Result: claim.AnswerNotFound},
		},
		"a refusal": {
			fault: server.Fault{Operation: anonymize, Kind: server.FaultStatus, Status: 400, Body: `{"message":"Invalid value in request"}`},
			want:  claim.ErasureAnswer{Result: claim.AnswerRefused, Detail: "status 400: Invalid value in request"}, state: claim.ErasureIncomplete,
		},
		"a request that changes nothing": {
			switches: server.Switches{AnonymizationDelay: server.Duration(time.Hour)},
			fault: server.Fault{
				Operation: request, Kind: server.FaultStatus, Status: 200,
				Body: `{"data":{"id":"3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0099","_type":"User","initiatedAt":"2026-01-01T00:00:00Z[GMT]","processedAt":"2026-01-01T00:00:01Z[GMT]","targetEntityId":"x","requestedBy":"y"}}`,
			},
			want:  claim.ErasureAnswer{Result: claim.AnswerUnchanged, Detail: "Dixa has processed the request, but shows the end user's data"},
			state: claim.ErasureIncomplete,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.switches, nil)
			if test.fault.Kind == server.FaultLate {
				b.timeout(5 * time.Second)
			}
			ref := b.openedFor("c-1", "ada@customer.example")
			e := b.erasing(claim.ErasureRequest{Email: "ada@customer.example"})
			e.find()
			e.stop()
			b.dixa.Inject(test.fault)
			require.Zero(t, e.anonymize(6).Left)
			done := e.end()
			if test.want.Result == "" {
				test.want.Result = claim.AnswerAnonymized
			}
			if test.state == "" {
				test.state = claim.ErasureDone
			}
			require.Equal(t, []claim.ErasureAnswer{test.want}, done.Report.Dixa)
			require.Equal(t, test.state, done.State, done.Why)
			body, err := b.store.Claims.LatestBody(t.Context(), ref)
			require.NoError(t, err)
			require.Empty(t, body.Customer, "the store is erased in any case")
		})
	}
}

func TestEraseGivesUpOnAnonymizationThatNeverEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{AnonymizationDelay: server.Duration(time.Hour)}, nil)
	b.openedFor("c-1", "ada@customer.example")
	e := b.erasing(claim.ErasureRequest{Email: "ada@customer.example"})
	e.find()
	e.stop()
	require.Equal(t, 1, e.anonymize(3).Left)
	require.Len(t, b.dixa.State().Anonymizations, 1, "one request is followed")
	_, err := eraseStep[struct{}](e, erasureStore.NoteErasure, activities.ErasureWait{ErasureRef: e.ref, Why: "Dixa has not finished", Unfinished: true})
	require.NoError(t, err)
	done := e.end()
	require.Equal(t, claim.ErasureIncomplete, done.State)
	require.Equal(t, claim.AnswerUnfinished, done.Report.Dixa[0].Result)
	// A later run finds the end user again, in Dixa only, and follows it there.
	again := b.erasing(claim.ErasureRequest{Email: "ada@customer.example"})
	require.NotEqual(t, e.ref.ID, again.ref.ID)
	again.find()
	require.Equal(t, 1, again.anonymize(1).Left)
}

func TestEraseNeedsAToken(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	b.openedFor("c-1", "ada@customer.example")
	e := b.erasing(claim.ErasureRequest{Email: "ada@customer.example"})
	e.find()
	b.dixa.Revoke("demo-token")
	for range 2 {
		_, err := eraseStep[activities.AnonymizeProgress](e, erasures.AnonymizeEndUsers, e.ref)
		requireParked(t, err, claim.CauseConnection)
	}
}

func TestReadOnlyShopErasesOnlyHere(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.openedFor("c-1", "ada@customer.example")
	user := b.endUserOf(ref)
	b.save(map[string]any{"read_only": true})
	var wrote []string
	b.asked = func(r *http.Request) { wrote = append(wrote, r.Method+" "+r.URL.Path) }
	e := b.erasing(claim.ErasureRequest{Email: "ada@customer.example"})
	e.find()
	e.stop()
	require.Zero(t, e.anonymize(1).Left)
	done := e.end()
	require.Equal(t, claim.ErasureDone, done.State)
	require.Empty(t, done.Report.Dixa)
	require.Contains(t, strings.Join(done.Report.Notes, "\n"), "read-only")
	require.Equal(t, []int{1, 1}, []int{done.Report.Claims, done.Report.EndUsers})
	require.Empty(t, wrote)
	require.Zero(t, b.user(user).AnonymizedAt)
}

func TestDryRunAnonymizesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.openedFor("c-1", "ada@customer.example")
	e := b.erasing(claim.ErasureRequest{EndUserID: b.endUserOf(ref), DryRun: true})
	e.find()
	done := e.end()
	require.Equal(t, claim.ErasureDone, done.State)
	require.Equal(t, 1, done.Report.Rows["claims"])
	require.Empty(t, b.dixa.State().Anonymizations)
	body, err := b.store.Claims.LatestBody(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, "ada@customer.example", body.Customer.Email)
}
