package sweep_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
	"github.com/claimflow/claimflow/internal/fromdixa/sweep"
	"github.com/claimflow/claimflow/mirror"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func entry(id, activity string, after time.Duration) sweep.Entry {
	return sweep.Entry{ID: id, Type: activity, At: noon.Add(after)}
}

func event(name dixa.EventName, after time.Duration) sweep.Received {
	return sweep.Received{Name: name, Timeline: claim.TimelineEntry{At: noon.Add(after)}}
}

func taggedEntry(id, tag, by string, after time.Duration) sweep.Entry {
	e := entry(id, "TagAdded", after)
	e.Detail, e.Author = tag, &claim.Person{ID: by}
	return e
}

func taggedEvent(tag, by string, after time.Duration) sweep.Received {
	e := event(dixa.EventConversationTagAdded, after)
	e.Timeline.Detail, e.Timeline.By = tag, by
	return e
}

func reported(e sweep.Entry) sweep.Entry {
	e.Reported = true
	return e
}

func TestContradicts(t *testing.T) {
	t.Parallel()
	closed := entry("1", "ConversationClosed", time.Minute)
	reopened := entry("2", "ConversationReopened", 2*time.Minute)
	for name, tt := range map[string]struct {
		entries []sweep.Entry
		status  claim.ConversationStatus
		at      time.Duration
		want    bool
	}{
		"empty log":                 {nil, claim.ConversationOpen, 0, false},
		"unknown close":             {[]sweep.Entry{closed}, claim.ConversationOpen, 0, true},
		"unknown reopen":            {[]sweep.Entry{reopened, closed}, claim.ConversationClosed, time.Minute, true},
		"newest entry known":        {[]sweep.Entry{closed, reopened}, claim.ConversationOpen, time.Minute, false},
		"newer state known":         {[]sweep.Entry{closed}, claim.ConversationOpen, 2 * time.Minute, false},
		"same timestamp":            {[]sweep.Entry{closed}, claim.ConversationOpen, time.Minute, false},
		"other entries are ignored": {[]sweep.Entry{entry("3", "TagAdded", time.Hour)}, claim.ConversationOpen, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			known := claim.Conversation{Status: tt.status}
			known.StatusAt.At = noon.Add(tt.at)
			require.Equal(t, tt.want, sweep.Contradicts(tt.entries, known))
		})
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		entries  []sweep.Entry
		received []sweep.Received
		missing  []string
		parts    sweep.Parts
	}{
		"nothing": {},
		"all received": {
			entries:  []sweep.Entry{entry("1", "ConversationClosed", 0), entry("2", "TagAdded", time.Second)},
			received: []sweep.Received{event(dixa.EventConversationTagAdded, time.Second), event(dixa.EventConversationClosed, 0)},
		},
		"one of two received": {
			entries:  []sweep.Entry{entry("1", "TagAdded", 0), entry("2", "TagAdded", time.Millisecond)},
			received: []sweep.Received{event(dixa.EventConversationTagAdded, time.Millisecond)},
			missing:  []string{"1"}, parts: sweep.Tags,
		},
		"tag takes precedence over time": {
			entries:  []sweep.Entry{taggedEntry("1", "one", "", 0), taggedEntry("2", "two", "", 0), taggedEntry("3", "three", "", time.Second)},
			received: []sweep.Received{taggedEvent("two", "", time.Minute), taggedEvent("three", "", 0)},
			missing:  []string{"1"}, parts: sweep.Tags,
		},
		"different tag does not match": {
			entries:  []sweep.Entry{taggedEntry("1", "one", "", 0)},
			received: []sweep.Received{taggedEvent("two", "", 0)},
			missing:  []string{"1"}, parts: sweep.Tags,
		},
		"author takes precedence over time": {
			entries:  []sweep.Entry{taggedEntry("1", "one", "anna", 0), taggedEntry("2", "one", "ben", time.Minute)},
			received: []sweep.Received{taggedEvent("one", "ben", time.Second)},
			missing:  []string{"1"}, parts: sweep.Tags,
		},
		"event of a reported entry matches no other entry": {
			entries:  []sweep.Entry{reported(entry("1", "ConversationClosed", 0)), entry("2", "ConversationClosed", time.Minute)},
			received: []sweep.Received{event(dixa.EventConversationClosed, 0)},
			missing:  []string{"2"}, parts: sweep.Conversation,
		},
		"reported entry is not missing": {
			entries: []sweep.Entry{reported(entry("1", "ConversationClosed", 0))},
		},
		"too far apart": {
			entries:  []sweep.Entry{entry("1", "ConversationClosed", 0)},
			received: []sweep.Received{event(dixa.EventConversationClosed, fold.MatchTolerance+time.Millisecond)},
			missing:  []string{"1"}, parts: sweep.Conversation,
		},
		"within one second": {
			entries:  []sweep.Entry{entry("1", "NoteAdded", 0)},
			received: []sweep.Received{event(dixa.EventConversationNoteAdded, 999*time.Millisecond)},
		},
		"close matches abandoned event": {
			entries:  []sweep.Entry{entry("1", "ConversationClosed", 0)},
			received: []sweep.Received{event(dixa.EventConversationAbandoned, 0)},
		},
		"companion entry with event": {
			entries:  []sweep.Entry{entry("1", "ConversationClaimed", 0), entry("2", "ConversationAssigned", 0)},
			received: []sweep.Received{event(dixa.EventConversationAssigned, 0)},
		},
		"companion entry alone": {
			entries: []sweep.Entry{entry("1", "ConversationOffered", 0)},
			parts:   sweep.Conversation,
		},
		"entry and companion missing": {
			entries: []sweep.Entry{entry("1", "ConversationClaimed", 0), entry("2", "ConversationAssigned", 0)},
			missing: []string{"2"}, parts: sweep.Conversation,
		},
		"entry without an event type": {
			entries: []sweep.Entry{entry("1", "ConversationMessageRedacted", 0)},
			missing: []string{"1"}, parts: sweep.Messages,
		},
		"ignored entry type": {entries: []sweep.Entry{entry("1", "ConversationLanguageUpdated", 0)}},
		"unknown entry type": {entries: []sweep.Entry{entry("1", "ConversationTeleported", 0)}, parts: sweep.Conversation | sweep.Tags},
		"event of another type": {
			entries:  []sweep.Entry{entry("1", "ConversationReopened", 0)},
			received: []sweep.Received{event(dixa.EventConversationClosed, 0)},
			missing:  []string{"1"}, parts: sweep.Conversation,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := sweep.Match(tt.entries, tt.received)
			var missing []string
			for _, e := range v.Missing {
				missing = append(missing, e.ID)
			}
			require.Equal(t, tt.missing, missing)
			require.Equal(t, tt.parts, v.Parts)
		})
	}
}

// An entry and its event need the same words in a timeline; otherwise both would
// appear.
func TestEntriesAndEventsUseSameTimelineText(t *testing.T) {
	t.Parallel()
	for activity, fqn := range map[string]string{
		"ConversationCreatedByCustomer": "CONVERSATION_CREATED", "ConversationReopened": "CONVERSATION_OPEN", "ConversationPending": "CONVERSATION_PENDING",
		"FollowupExpired": "CONVERSATION_PENDING_EXPIRED", "ConversationClosed": "CONVERSATION_CLOSED", "ConversationAssigned": "CONVERSATION_ASSIGNED",
		"ConversationUnassigned": "CONVERSATION_UNASSIGNED", "TransferSuccessful": "CONVERSATION_TRANSFERRED", "ConversationEndUserReplaced": "CONVERSATION_END_USER_REPLACED",
		"ConversationRated": "CONVERSATION_RATED", "TagAdded": "CONVERSATION_TAG_ADDED", "TagRemoved": "CONVERSATION_TAG_REMOVED", "NoteAdded": "CONVERSATION_NOTE_ADDED",
		"MessageAddedByCustomer": "CONVERSATION_MESSAGE_ADDED inbound", "MessageAddedByAgent": "CONVERSATION_MESSAGE_ADDED outbound",
		"ConversationCustomAttributesUpdated": "CONVERSATION_CUSTOM_ATTRIBUTE_UPDATED",
	} {
		var direction string
		_, _ = fmt.Sscanf(fqn, "%s %s", &fqn, &direction)
		body := fmt.Sprintf(`{"event_id":"e","event_fqn":%q,"event_timestamp":"2026-03-01T12:00:00Z","data":{"conversation":{"csid":1},"message_id":"m","direction":%q}}`, fqn, direction)
		told := fold.Read("e", "", noon, []byte(body)).Timeline
		require.NotNil(t, told, activity)
		missing := []sweep.Entry{entry("1", activity, 0)}
		f, ok, err := sweep.Find(1, sweep.Known{}, sweep.Answer{}, missing, sweep.MatchResult{Missing: missing})
		require.NoError(t, err)
		require.True(t, ok)
		var r fold.Refreshed
		require.NoError(t, json.Unmarshal(f.Body, &r))
		require.Equal(t, told.What, r.Happened["1"].What, activity)
	}
}

func TestFindReportsOnlyChanges(t *testing.T) {
	t.Parallel()
	known := sweep.Known{Conversation: claim.Conversation{
		Status: claim.ConversationOpen, Assignee: &claim.Person{ID: "a", Name: "Anna"}, Requester: &claim.Person{ID: "r"}, Tags: []string{"x", "y"},
		Versions: claim.Versions{StatusAt: claim.Stamp{At: noon}, PeopleAt: claim.Stamp{At: noon}, TagsAt: claim.Stamp{At: noon}},
	}}
	at := func(d time.Duration) dixa.Time { return dixa.Time{Time: noon.Add(d)} }
	answer := sweep.Answer{Asked: sweep.Conversation | sweep.Tags, Conversation: &dixa.Conversation{
		ID: 1, State: dixa.StateOpen, StateUpdatedAt: at(0), RequesterID: "r", Assignment: &dixa.Assignment{AgentID: "a", AssignedAt: at(0)},
	}, Tags: []*dixa.Tag{{Name: "y"}, {Name: "x"}}}
	_, ok, err := sweep.Find(1, known, answer, nil, sweep.MatchResult{})
	require.NoError(t, err)
	require.False(t, ok)

	answer.Tags = answer.Tags[:1]
	first, ok, err := sweep.Find(1, known, answer, nil, sweep.MatchResult{})
	require.NoError(t, err)
	require.True(t, ok)
	again, _, err := sweep.Find(1, known, answer, nil, sweep.MatchResult{})
	require.NoError(t, err)
	require.Equal(t, first, again, "equal findings must produce equal events")
	r := fold.Read(first.ID, fold.NameRefreshed, first.At, first.Body)
	require.Equal(t, "Anna", r.Fact.Assignee.Name, "the known name was lost")
	known.Apply(r.Fact.Fact)
	require.Equal(t, []string{"y"}, known.Tags)

	// A later finding at the same moment wins, whatever its ID.
	for i := range 20 {
		answer.Tags = []*dixa.Tag{{Name: fmt.Sprint(i)}}
		f, ok, err := sweep.Find(1, known, answer, nil, sweep.MatchResult{})
		require.NoError(t, err)
		require.True(t, ok)
		known.Apply(fold.Read(f.ID, fold.NameRefreshed, f.At, f.Body).Fact.Fact)
		require.Equal(t, []string{fmt.Sprint(i)}, known.Tags)
	}
}

// Two changes within one second are lost, and the first arrives after the sweep. The
// log's record of the second keeps the first from winning.
func TestLateEventDoesNotRevertFinding(t *testing.T) {
	t.Parallel()
	known := sweep.Known{Conversation: claim.Conversation{Status: claim.ConversationOpen, Versions: claim.Versions{StatusAt: claim.Stamp{At: noon.Add(-time.Hour)}}}}
	entries := []sweep.Entry{entry("1", "ConversationClosed", 200*time.Millisecond), entry("2", "ConversationReopened", 700*time.Millisecond)}
	answer := sweep.Answer{Asked: sweep.Conversation, Conversation: &dixa.Conversation{State: dixa.StateOpen, StateUpdatedAt: dixa.Time{Time: noon}}}
	f, ok, err := sweep.Find(1, known, answer, entries, sweep.MatchResult{Missing: entries})
	require.NoError(t, err)
	require.True(t, ok, "a finding without differences must be reported, because it holds at a later time")
	seen := fold.Read(f.ID, fold.NameRefreshed, f.At, f.Body).Fact.Fact
	late := claim.Fact{Stamp: claim.Stamp{At: noon.Add(200 * time.Millisecond), Weight: claim.WeightTransition, ID: "late"}, Status: claim.ConversationClosed}
	newer := claim.Fact{Stamp: claim.Stamp{At: noon.Add(701 * time.Millisecond), Weight: claim.WeightTransition, ID: "newer"}, Status: claim.ConversationClosed}
	a, b := known.Conversation, known.Conversation
	a.Apply(late)
	a.Apply(seen)
	b.Apply(seen)
	b.Apply(late)
	require.Equal(t, claim.ConversationOpen, a.Status)
	require.Equal(t, claim.ConversationOpen, b.Status)
	b.Apply(newer)
	require.Equal(t, claim.ConversationClosed, b.Status)
}

func FuzzRead(f *testing.F) {
	f.Add(`{"agentId":"a","agentName":"Anna"}`)
	f.Add(`{"destinationType":"Queue","destinationId":"q","destinationLabel":"Claims"}`)
	f.Add(`{"newUser":{"id":1}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, attributes string) {
		e := sweep.Read(mirror.Activity{ID: "1", Type: "ConversationAssigned", Attributes: []byte(attributes)})
		require.Equal(t, "1", e.ID)
		_, err := json.Marshal(e.Details)
		require.NoError(t, err)
	})
}

// A message that was redacted in Dixa loses its text here too. One whose text is only
// too large to list keeps it.
func TestRedactedMessageLosesItsText(t *testing.T) {
	t.Parallel()
	entries := []sweep.Entry{entry("1", "ConversationMessageRedacted", time.Minute)}
	known := sweep.Known{Messages: map[string]claim.Message{"m-1": {ID: "m-1", Kind: claim.MessageKind, At: noon, Text: "secret"}}}
	for name, test := range map[string]struct {
		listed dixa.MessageAttributes
		text   string
	}{
		"redacted":  {listed: dixa.MessageAttributes{EmailContent: &dixa.EmailContent{}}},
		"too large": {listed: dixa.MessageAttributes{EmailContent: &dixa.EmailContent{File: &dixa.Attachment{URL: "/private/x"}}}, text: "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := sweep.Answer{Asked: sweep.Messages, Messages: []*dixa.Message{{ID: "m-1", CreatedAt: dixa.Time{Time: noon}, Attributes: test.listed}}}
			f, ok, err := sweep.Find(1, known, answer, entries, sweep.MatchResult{Missing: entries})
			require.NoError(t, err)
			require.True(t, ok)
			messages := fold.Read(f.ID, fold.NameRefreshed, f.At, f.Body).Messages
			require.Len(t, messages, 1)
			for _, source := range []mirror.Source{mirror.FromEvent, mirror.FromExport, mirror.FromList} {
				old := mirror.Message{Message: known.Messages["m-1"], Version: mirror.Version{Source: source, ReadAt: noon}}
				merged := mirror.MergeMessages(old, messages[0])
				require.Equal(t, test.text, merged.Text)
				require.Equal(t, test.text == "", merged.Redacted)
				require.True(t, merged.Listed)
			}
		})
	}
}
