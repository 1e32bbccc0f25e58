package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

func aWrite(connection, key, body string) store.NewOperation {
	return store.NewOperation{ConnectionID: connection, Key: []string{"ticketing", "comments", "create", "", key}, Content: []string{"", body}, Request: []byte(body)}
}

func TestOneOperationPerKey(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		c := connect(t, s, "acme", "org-1").ID
		fresh := make([]bool, 8)
		ids := make([]string, 8)
		errs := atOnce(8, func(i int) error {
			op, isFresh, err := s.Operations.Begin(t.Context(), aWrite(c, "k", "Ada"))
			fresh[i], ids[i] = isFresh, op.ID
			return err
		})
		n := 0
		for i, err := range errs {
			require.NoError(t, err)
			require.Equal(t, ids[0], ids[i])
			if fresh[i] {
				n++
			}
		}
		require.Equal(t, 1, n, "one caller carries it out")
		_, _, err := s.Operations.Begin(t.Context(), aWrite(c, "k", "Bo"))
		var conflict *store.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.NotContains(t, err.Error(), "Ada")

		id := ids[0]
		request, err := s.Operations.Request(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, "Ada", string(request))
		running, err := s.Operations.Running(t.Context(), now.Now().Add(time.Second))
		require.NoError(t, err)
		require.Equal(t, []store.OperationRef{{ConnectionID: c, ID: id}}, running)
		require.NoError(t, s.Operations.Finish(t.Context(), id, 200, []byte(`{"id":"1"}`)))
		require.NoError(t, s.Operations.Fail(t.Context(), id, 500, []byte(`{}`)), "a late attempt changes nothing")
		op, isFresh, err := s.Operations.Begin(t.Context(), aWrite(c, "k", "Ada"))
		require.NoError(t, err)
		require.False(t, isFresh)
		require.Equal(t, store.OperationDone, op.State)
		require.Equal(t, 200, op.Status)
		require.JSONEq(t, `{"id":"1"}`, string(op.Answer))
		_, err = s.Operations.Request(t.Context(), id)
		require.ErrorIs(t, err, store.ErrNotFound, "the request must be gone with its personal data")

		deleted, err := s.Operations.DeleteFinished(t.Context(), now.Now().Add(-time.Second))
		require.NoError(t, err)
		require.Zero(t, deleted)
		deleted, err = s.Operations.DeleteFinished(t.Context(), now.Now().Add(time.Second))
		require.NoError(t, err)
		require.Equal(t, 1, deleted)
		_, err = s.Operations.Get(t.Context(), id)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, isFresh, err = s.Operations.Begin(t.Context(), aWrite(c, "k", "Bo"))
		require.NoError(t, err)
		require.True(t, isFresh, "the key is free again")
	})
}

// A failure that says nothing about the request frees the key, unless Dixa may have done
// something of it.
func TestOperationHasTheIDThatItsCallerChose(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		c := connect(t, s, "acme", "org-1").ID
		n := aWrite(c, "k", "Ada")
		n.ID = "chosen"
		for _, first := range []bool{true, false} {
			op, fresh, err := s.Operations.Begin(t.Context(), n)
			require.NoError(t, err)
			require.Equal(t, first, fresh)
			require.Equal(t, "chosen", op.ID)
		}
		n.Key = []string{"another"}
		_, _, err := s.Operations.Begin(t.Context(), n)
		var conflict *store.ConflictError
		require.ErrorAs(t, err, &conflict)
	})
}

func TestReleasedOperationFreesItsKey(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		c := connect(t, s, "acme", "org-1").ID
		for name, test := range map[string]struct {
			before func(ref store.OperationRef) error
			free   bool
		}{
			"nothing began": {func(store.OperationRef) error { return nil }, true},
			"only looked": {func(ref store.OperationRef) error {
				return s.Operations.FinishStep(t.Context(), ref, "0:before", "", []string{"x"})
			}, true},
			"refused": {func(ref store.OperationRef) error {
				in, _, err := s.Operations.BeginStep(t.Context(), ref, "0")
				require.NoError(t, err)
				return s.Intents.Refuse(t.Context(), in)
			}, true},
			"unanswered": {func(ref store.OperationRef) error {
				_, _, err := s.Operations.BeginStep(t.Context(), ref, "0")
				return err
			}, false},
			"done": {func(ref store.OperationRef) error {
				_, _, err := s.Operations.BeginStep(t.Context(), ref, "0")
				require.NoError(t, err)
				return s.Operations.FinishStep(t.Context(), ref, "0", "note:"+ref.ID, "1")
			}, false},
		} {
			op, _, err := s.Operations.Begin(t.Context(), aWrite(c, name, "x"))
			require.NoError(t, err)
			require.NoError(t, test.before(op.OperationRef), name)
			require.NoError(t, s.Operations.Release(t.Context(), op.ID, 401, []byte(`{}`)), name)
			failed, err := s.Operations.Get(t.Context(), op.ID)
			require.NoError(t, err)
			require.Equal(t, store.OperationFailed, failed.State, name)
			_, fresh, err := s.Operations.Begin(t.Context(), aWrite(c, name, "x"))
			require.NoError(t, err)
			require.Equal(t, test.free, fresh, name)
		}
	})
}

// An operation that ended, or whose time is over, sends nothing more. What was sent before
// can still be found.
func TestEndedAndLateOperationsSendNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		c := connect(t, s, "acme", "org-1").ID
		begin := func(key string) store.OperationRef {
			op, _, err := s.Operations.Begin(t.Context(), aWrite(c, key, "x"))
			require.NoError(t, err)
			return op.OperationRef
		}
		for name, end := range map[string]func(context.Context, string, int, []byte) error{
			"done": s.Operations.Finish, "failed": s.Operations.Fail, "given up": s.Operations.Release,
		} {
			ref := begin(name)
			sent, _, err := s.Operations.BeginStep(t.Context(), ref, "0")
			require.NoError(t, err)
			require.NoError(t, end(t.Context(), ref.ID, 504, []byte(`{}`)))
			_, _, err = s.Operations.BeginStep(t.Context(), ref, "0")
			require.ErrorIs(t, err, store.ErrEnded, name)
			_, _, err = s.Operations.BeginStep(t.Context(), ref, "1")
			require.ErrorIs(t, err, store.ErrEnded, name)
			_, err = s.Operations.Step(t.Context(), ref, "1")
			require.ErrorIs(t, err, store.ErrNotFound, "%s: a step that must not be sent has no intent", name)
			_, _, err = s.Intents.Resend(t.Context(), sent)
			require.ErrorIs(t, err, store.ErrEnded, name)
		}

		ref, fresh := begin("late"), begin("unsent")
		sent, _, err := s.Operations.BeginStep(t.Context(), ref, "0")
		require.NoError(t, err)
		now.Turn(store.OperationTime)
		_, _, err = s.Operations.BeginStep(t.Context(), fresh, "0")
		require.NoError(t, err)
		now.Turn(time.Second)
		var late *store.LateError
		_, _, err = s.Operations.BeginStep(t.Context(), fresh, "1")
		require.ErrorAs(t, err, &late)
		_, outstanding, err := s.Operations.BeginStep(t.Context(), ref, "0")
		require.NoError(t, err)
		require.True(t, outstanding)
		_, _, err = s.Intents.Resend(t.Context(), sent)
		require.ErrorAs(t, err, &late)
		require.NoError(t, s.Intents.Refuse(t.Context(), sent), "an answer is recorded whenever it comes")
	})
}

func TestStepsOfOperationsAreIntents(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		c := connect(t, s, "acme", "org-1").ID
		var refs []store.OperationRef
		for i := range 2 {
			op, _, err := s.Operations.Begin(t.Context(), aWrite(c, fmt.Sprint(i), "x"))
			require.NoError(t, err)
			refs = append(refs, op.OperationRef)
		}
		in, outstanding, err := s.Operations.BeginStep(t.Context(), refs[0], "0")
		require.NoError(t, err)
		require.False(t, outstanding)
		require.Equal(t, store.Intent{Operation: refs[0], Step: "0", Try: 1, SentAt: now.Now()}, in)
		now.Turn(time.Minute)
		in, outstanding, err = s.Operations.BeginStep(t.Context(), refs[0], "0")
		require.NoError(t, err)
		require.True(t, outstanding)
		_, mine, err := s.Intents.Resend(t.Context(), in)
		require.NoError(t, err)
		require.True(t, mine)
		_, mine, err = s.Intents.Resend(t.Context(), in)
		require.NoError(t, err)
		require.False(t, mine, "one of two attempts sends")

		require.NoError(t, s.Operations.FinishStep(t.Context(), refs[0], "0", "note:7", "7"))
		done, err := s.Operations.Step(t.Context(), refs[0], "0")
		require.NoError(t, err)
		require.JSONEq(t, `"7"`, string(done.Result))
		var conflict *store.ConflictError
		require.ErrorAs(t, s.Operations.FinishStep(t.Context(), refs[1], "0", "note:7", "7"), &conflict, "an object belongs to one operation")
		owner, err := s.Operations.ObjectOf(t.Context(), c, "note:7")
		require.NoError(t, err)
		require.Equal(t, refs[0].ID, owner)
		owner, err = s.Operations.ObjectOf(t.Context(), c, "note:8")
		require.NoError(t, err)
		require.Empty(t, owner)
	})
}

func TestFormerAgentStaysKnown(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		c := connect(t, s, "acme", "org-1").ID
		e := mirror.DirectoryEntry{ID: "a", Name: "Ada", Object: []byte(`{"id":"a"}`)}
		require.NoError(t, s.Mirror.MarkEntryGone(t.Context(), c, mirror.KindAgent, "a"), "an unknown entry is no error")
		_, err := s.Mirror.SaveDirectory(t.Context(), c, mirror.KindAgent, []mirror.DirectoryEntry{e}, now.Now())
		require.NoError(t, err)
		require.NoError(t, s.Mirror.MarkEntryGone(t.Context(), c, mirror.KindAgent, "a"))
		row, err := s.Mirror.DirectoryRow(t.Context(), c, mirror.KindAgent, "a")
		require.NoError(t, err)
		require.Equal(t, now.Now(), row.GoneAt)
		require.Equal(t, "Ada", row.Name)
		_, err = s.Mirror.SaveDirectory(t.Context(), c, mirror.KindAgent, []mirror.DirectoryEntry{e}, now.Now())
		require.NoError(t, err)
		row, err = s.Mirror.DirectoryRow(t.Context(), c, mirror.KindAgent, "a")
		require.NoError(t, err)
		require.Zero(t, row.GoneAt, "who is listed again is back")
	})
}

func TestErasedPersonLeavesTheAnswers(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		c := connect(t, s, "acme", "org-1").ID
		answers := map[string]string{"a": `{"emails":[{"email":"Ada@customer.example"}]}`, "b": `{"emails":[{"email":"bo@customer.example"}]}`, "c": `{"external_id":"7"}`, "d": `{"number":"17"}`}
		ids := map[string]string{}
		for key, answer := range answers {
			op, _, err := s.Operations.Begin(t.Context(), aWrite(c, key, "x"))
			require.NoError(t, err)
			ids[key] = op.ID
			require.NoError(t, s.Operations.Finish(t.Context(), op.ID, 200, []byte(answer)))
		}
		n, err := s.Operations.Erase(t.Context(), c, []string{"ada@customer.example", "7"})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		for key, id := range ids {
			op, err := s.Operations.Get(t.Context(), id)
			require.NoError(t, err)
			want := answers[key]
			if key == "a" || key == "c" {
				want = `{}`
			}
			require.JSONEq(t, want, string(op.Answer))
		}
	})
}
