package mirror_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// clock is a time of the first day, such as "9:30" or "9:30:01.5".
func clock(s string) time.Time {
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return time.Date(2026, 3, 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		}
	}
	panic("not a time: " + s)
}

func pointer[T any](v T) *T { return &v }

// entry is an activity by id, time, type and author.
func entry(id, at, kind, author string) mirror.Activity {
	return mirror.Activity{ID: id, ConversationID: 1, At: clock(at), Type: kind, AuthorID: author}
}

func said(id, at, direction, author string) mirror.Message {
	m := mirror.Message{Message: claim.Message{ID: id, Kind: claim.MessageKind, Direction: direction, At: clock(at)}}
	if author != "" {
		m.Author = &claim.Person{ID: author}
	}
	return m
}

// inbound is a conversation that a customer began at nine.
func inbound() mirror.Conversation {
	var c mirror.Conversation
	c.Origin = mirror.Origin{CreatedAt: nine, Channel: "Email", Direction: "inbound"}
	c.Status = claim.ConversationOpen
	c.Queue = &claim.Queue{ID: "q-1", Name: "Claims"}
	c.Requester = &claim.Person{ID: "u-1"}
	return c
}

// fullHistory is a conversation with all its records.
func fullHistory() (mirror.Conversation, []mirror.Message, []mirror.Activity) {
	c := inbound()
	c.Status, c.Queue, c.Assignee, c.Tags = claim.ConversationClosed, &claim.Queue{ID: "q-2", Name: "Returns"}, &claim.Person{ID: "a-2"}, []string{"claim"}
	c.Ratings = map[string]mirror.Rating{"Csat@1": {
		Type: "Csat", Status: "Rated", Score: pointer(4), CreatedAt: clock("12:41"), OfferedAt: clock("12:42"), RatedAt: clock("12:50"),
	}}
	offered := entry("l-02", "9:00", "ConversationOffered", "")
	offered.QueueName = "First line"
	first := entry("l-05", "9:10", "ConversationAssigned", "a-1")
	first.AgentID = "a-1"
	moved := entry("l-12", "12:05", "TransferSuccessful", "a-1")
	moved.QueueID, moved.QueueName = "q-2", "Returns"
	second := entry("l-13", "12:20", "ConversationAssigned", "a-2")
	second.AgentID = "a-2"
	reply := entry("l-06", "9:20", "MessageAddedByAgent", "a-1")
	reply.MessageID = "m-3"
	activities := []mirror.Activity{
		entry("l-01", "9:00", "ConversationCreatedByCustomer", "u-1"), offered, entry("l-03", "9:00:01", "ConversationAutoreplySent", ""),
		entry("l-04", "9:10", "ConversationClaimed", "a-1"), first, reply, entry("l-07", "9:30", "FollowupAdded", "a-1"),
		entry("l-08", "9:30", "ConversationPending", "a-1"), entry("l-09", "10:30", "FollowupExpired", ""),
		entry("l-10", "10:40", "ConversationClosed", "a-1"), entry("l-11", "12:00", "ConversationReopened", ""),
		entry("l-11b", "12:05", "ConversationUnassigned", "a-1"), moved, second, entry("l-14", "12:40", "ConversationClosed", "u-1"),
	}
	messages := []mirror.Message{
		said("m-1", "9:00", "inbound", "u-1"), said("m-2", "9:00:00.5", "outbound", ""), said("m-3", "9:20", "outbound", ""),
		said("m-4", "12:00", "inbound", "u-1"), said("m-5", "12:30", "outbound", "a-2"),
		{Message: claim.Message{ID: "n-1", Kind: claim.NoteKind, At: clock("9:15")}},
	}
	return c, messages, activities
}

func TestDeriveFromFullHistory(t *testing.T) {
	t.Parallel()
	c, messages, activities := fullHistory()
	event := func(at string, kind mirror.EventKind, agent, queue string) mirror.FigureEvent {
		return mirror.FigureEvent{At: clock(at), Kind: kind, AgentID: agent, QueueID: queue}
	}
	want := mirror.Figures{
		ConversationID: 1, CreatedAt: nine, Channel: "Email", Direction: "inbound", Status: "closed", QueueID: "q-2", AssigneeID: "a-2",
		RequesterID: "u-1", Tags: []string{"claim"},
		FirstInboundAt: nine, FirstResponseAt: clock("9:20"), FirstResponseBy: "a-1",
		AgentReplies: pointer(2), AutomatedMessages: pointer(1), CustomerMessages: pointer(2), Notes: pointer(1),
		// 9:00-9:10, 12:05-12:20
		QueueTime: pointer(25 * time.Minute), QueueTimeFromLog: true,
		// 9:10-9:30, 10:30-10:40, 12:00-12:05, 12:20-12:40
		HandlingTime:    pointer(55 * time.Minute),
		FirstAssignedAt: clock("9:10"), FirstClosedAt: clock("10:40"), LastClosedAt: clock("12:40"),
		Closes: pointer(2), Reopens: pointer(1), Transfers: pointer(1), Assignments: pointer(2), LastActivityAt: clock("12:50"),
		Events: []mirror.FigureEvent{
			event("9:10", mirror.KindAssigned, "a-1", "q-2"), event("9:20", mirror.KindReply, "a-1", "q-2"),
			event("10:40", mirror.KindClosed, "a-1", "q-2"), event("12:00", mirror.KindReopened, "a-1", "q-2"),
			event("12:05", mirror.KindTransferred, "", "q-2"), event("12:05", mirror.KindUnassigned, "", "q-2"),
			event("12:20", mirror.KindAssigned, "a-2", "q-2"), event("12:30", mirror.KindReply, "a-2", "q-2"),
			event("12:40", mirror.KindClosed, "", "q-2"),
			{At: clock("12:42"), Kind: mirror.KindRatingOffered, AgentID: "a-2", QueueID: "q-2", Type: "Csat"},
			{At: clock("12:50"), Kind: mirror.KindRated, AgentID: "a-2", QueueID: "q-2", Type: "Csat", Value: 4},
		},
	}
	require.Equal(t, want, mirror.Derive(1, c, messages, activities))
	repeated, logged := append(slices.Clone(messages), messages...), append(slices.Clone(activities), activities...)
	slices.Reverse(repeated)
	slices.Reverse(logged)
	require.Equal(t, want, mirror.Derive(1, c, repeated, logged))

	// An event that the log already tells, slightly later by its own clock.
	c.LoggedAt = clock("12:40")
	c.Changes = map[string]mirror.StateChange{
		"e-1": {At: clock("12:40:01"), Kind: "ConversationClosed"},
		"e-0": {At: clock("10:40"), Kind: "ConversationClosed"},
	}
	require.Equal(t, want, mirror.Derive(1, c, messages, activities))

	// Events newer than the log extend it.
	c.Status = claim.ConversationOpen
	c.Changes["e-2"] = mirror.StateChange{At: clock("13:00"), Kind: "ConversationReopened"}
	c.Changes["e-3"] = mirror.StateChange{At: clock("13:05"), Kind: "SLAEvaluationBreached"}
	got := mirror.Derive(1, c, messages, activities)
	require.Equal(t, 2, *got.Reopens)
	require.Equal(t, time.Hour, *got.HandlingTime)
	require.Zero(t, got.LastClosedAt)
	require.Equal(t, event("13:05", mirror.KindSLABreached, "a-2", "q-2"), got.Events[len(got.Events)-1])

	// The label of the first queue is known as soon as anything names its id.
	c, messages, activities = fullHistory()
	back := entry("l-00", "12:10", "TransferSuccessful", "a-1")
	back.QueueID, back.QueueName = "q-1", "First line"
	got = mirror.Derive(1, c, messages, append(activities, back))
	require.Equal(t, event("9:10", mirror.KindAssigned, "a-1", "q-1"), got.Events[0])
}

func TestDeriveFromPartialRecords(t *testing.T) {
	t.Parallel()
	closedAt := func(c mirror.Conversation) mirror.Conversation {
		c.Status = claim.ConversationClosed
		c.Reported = mirror.Reported{QueuedAt: clock("9:00"), AssignedAt: clock("9:30"), ClosedAt: clock("11:00")}
		return c
	}
	outbound := inbound()
	outbound.Origin.Direction = "outbound"
	withChanges := closedAt(inbound())
	withChanges.Changes = map[string]mirror.StateChange{
		"e-1": {At: clock("9:00"), Kind: "ConversationCreatedByCustomer", QueueID: "q-0"}, "e-2": {At: clock("9:40"), Kind: "ConversationClosed", AgentID: "a-1"},
		"e-3": {At: clock("10:00"), Kind: "ConversationReopened"}, "e-4": {At: clock("11:00"), Kind: "ConversationClosed"},
	}
	for name, test := range map[string]struct {
		c          mirror.Conversation
		messages   []mirror.Message
		activities []mirror.Activity
		check      func(t *testing.T, f mirror.Figures)
	}{
		"nothing": {check: func(t *testing.T, f mirror.Figures) {
			t.Helper()
			require.Equal(t, mirror.Figures{ConversationID: 1}, f)
		}},
		"export only": {c: closedAt(inbound()), check: func(t *testing.T, f mirror.Figures) {
			t.Helper()
			require.Equal(t, pointer(30*time.Minute), f.QueueTime)
			require.False(t, f.QueueTimeFromLog)
			require.Nil(t, f.HandlingTime)
			require.Nil(t, f.Closes)
			require.Zero(t, f.FirstClosedAt)
			require.Equal(t, clock("11:00"), f.LastClosedAt)
			require.Equal(t, clock("9:30"), f.FirstAssignedAt)
			require.Equal(t, []mirror.FigureEvent{{At: clock("11:00"), Kind: mirror.KindClosed, QueueID: "q-1"}}, f.Events)
			require.Nil(t, f.CustomerMessages)
		}},
		"events only": {c: withChanges, check: func(t *testing.T, f mirror.Figures) {
			t.Helper()
			require.Equal(t, clock("9:40"), f.FirstClosedAt)
			require.Equal(t, clock("11:00"), f.LastClosedAt)
			require.Nil(t, f.Closes)
			require.Equal(t, []mirror.FigureEvent{
				{At: clock("9:40"), Kind: mirror.KindClosed, AgentID: "a-1", QueueID: "q-0"},
				{At: clock("10:00"), Kind: mirror.KindReopened, QueueID: "q-0"},
				{At: clock("11:00"), Kind: mirror.KindClosed, QueueID: "q-0"},
			}, f.Events)
		}},
		"partial log": {
			c: closedAt(inbound()), activities: []mirror.Activity{entry("l-1", "9:06", "ConversationReopened", ""), entry("l-2", "11:00:01", "ConversationClosed", "a-1")},
			check: func(t *testing.T, f mirror.Figures) {
				t.Helper()
				require.Nil(t, f.Reopens)
				require.Zero(t, f.FirstClosedAt)
				require.Equal(t, clock("11:00:01"), f.LastClosedAt)
				require.Equal(t, []mirror.FigureEvent{
					{At: clock("9:06"), Kind: mirror.KindReopened, QueueID: "q-1"}, {At: clock("11:00:01"), Kind: mirror.KindClosed, AgentID: "a-1", QueueID: "q-1"},
				}, f.Events)
			},
		},
		"log that begins late enough": {
			c: inbound(), activities: []mirror.Activity{entry("l-1", "9:05", "ConversationClosed", "")},
			check: func(t *testing.T, f mirror.Figures) {
				t.Helper()
				require.Equal(t, pointer(1), f.Closes)
				require.Equal(t, pointer(5*time.Minute), f.QueueTime)
			},
		},
		"late messages": {c: inbound(), messages: []mirror.Message{said("m-1", "9:06", "inbound", "u-1"), said("m-2", "9:10", "outbound", "a-1")}, check: func(t *testing.T, f mirror.Figures) {
			t.Helper()
			require.Zero(t, f.FirstInboundAt)
			require.Zero(t, f.FirstResponseAt)
			require.Nil(t, f.AgentReplies)
			require.Equal(t, []mirror.FigureEvent{{At: clock("9:10"), Kind: mirror.KindReply, AgentID: "a-1", QueueID: "q-1"}}, f.Events)
		}},
		"reply before the first message": {c: inbound(), messages: []mirror.Message{said("m-1", "9:00", "outbound", "a-1"), said("m-2", "9:02", "inbound", "u-1")}, check: func(t *testing.T, f mirror.Figures) {
			t.Helper()
			require.Equal(t, clock("9:02"), f.FirstInboundAt)
			require.Zero(t, f.FirstResponseAt)
		}},
		"no message of the customer": {c: inbound(), messages: []mirror.Message{said("m-1", "9:01", "outbound", "a-1")}, check: func(t *testing.T, f mirror.Figures) {
			t.Helper()
			require.Equal(t, nine, f.FirstInboundAt)
			require.Equal(t, clock("9:01"), f.FirstResponseAt)
		}},
		"begun by the shop": {c: outbound, messages: []mirror.Message{said("m-1", "9:00", "outbound", "a-1"), said("m-2", "9:02", "inbound", "u-1"), said("m-3", "9:05", "outbound", "a-1")}, check: func(t *testing.T, f mirror.Figures) {
			t.Helper()
			require.Equal(t, clock("9:02"), f.FirstInboundAt)
			require.Zero(t, f.FirstResponseAt)
			require.Equal(t, pointer(2), f.AgentReplies)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.check(t, mirror.Derive(1, test.c, test.messages, test.activities))
		})
	}
}

func TestAutomaticMessages(t *testing.T) {
	t.Parallel()
	named := entry("l-1", "9:30", "ConversationAutoreplySent", "")
	named.MessageID = "m-2"
	written := entry("l-2", "9:10", "MessageAddedByAgent", "a-1")
	written.MessageID = "m-2"
	for name, test := range map[string]struct {
		message    mirror.Message
		activities []mirror.Activity
		automatic  bool
	}{
		"unknown":                      {said("m-2", "9:10", "outbound", ""), nil, false},
		"automatic by its source":      {mirror.Message{Message: claim.Message{ID: "m-2", Kind: "message", Direction: "outbound", At: clock("9:10"), Automated: true}, AutomatedKnown: true}, nil, true},
		"an entry names it":            {said("m-2", "9:10", "outbound", ""), []mirror.Activity{named}, true},
		"an entry names another":       {said("m-3", "9:30", "outbound", ""), []mirror.Activity{named}, false},
		"an entry of the time":         {said("m-2", "9:10", "outbound", ""), []mirror.Activity{entry("l-1", "9:10:02", "ConversationAutoreplySent", "")}, true},
		"an entry too late":            {said("m-2", "9:10", "outbound", ""), []mirror.Activity{entry("l-1", "9:10:02.1", "ConversationAutoreplySent", "")}, false},
		"an agent's entry names it":    {said("m-2", "9:10", "outbound", ""), []mirror.Activity{entry("l-1", "9:10", "ConversationAutoreplySent", ""), written}, false},
		"a person, whatever the entry": {mirror.Message{Message: claim.Message{ID: "m-2", Kind: "message", Direction: "outbound", At: clock("9:10")}, AutomatedKnown: true}, []mirror.Activity{entry("l-1", "9:10", "ConversationAutoreplySent", "")}, false},
	} {
		f := mirror.Derive(1, inbound(), []mirror.Message{said("m-1", "9:00", "inbound", "u-1"), test.message}, test.activities)
		want := 1
		if !test.automatic {
			want = 0
		}
		require.Equal(t, want, *f.AutomatedMessages, name)
		require.Equal(t, 1-want, *f.AgentReplies, name)
		require.Equal(t, test.automatic, f.FirstResponseAt.IsZero(), name)
	}
}

func BenchmarkDerive(b *testing.B) {
	c, messages, activities := fullHistory()
	messages, activities = messages[:6], activities[:10]
	b.ReportAllocs()
	for b.Loop() {
		if f := mirror.Derive(1, c, messages, activities); f.Closes == nil {
			b.Fatal(fmt.Sprint(f))
		}
	}
}
