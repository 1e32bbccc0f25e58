package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// entry is an entry of the activity log.
type entry struct {
	Type   string `json:"_type"`
	Author struct {
		ID string `json:"id"`
	} `json:"author"`
	Attributes map[string]any `json:"attributes"`
}

// activity returns a conversation's activity log from a position on, and the types
// of its entries.
func (d *dixa) activity(from int) (entries []entry, types []string) {
	d.t.Helper()
	d.do(http.MethodGet, "/conversations/1001/activitylog", nil, http.StatusOK).data(&entries)
	entries = entries[from:]
	for _, e := range entries {
		types = append(types, e.Type)
	}
	return entries, types
}

// Every action of an agent or a customer sends events and adds entries to the
// activity log, so a receiver that lost the events can read them there.
func TestEveryPlaySendsEventsAndLogsActivity(t *testing.T) {
	t.Parallel()
	files := gallery(t)
	agent := func(step server.Step) func(*dixa) error {
		return func(d *dixa) error { return d.Agent(d.t.Context(), step) }
	}
	customer := func(step server.Step) func(*dixa) error {
		return func(d *dixa) error { return d.Customer(d.t.Context(), step) }
	}
	pending := server.Step{Action: server.PlayPending}
	claim := server.Step{Action: server.PlayClaim}
	for name, test := range map[string]struct {
		before   []server.Step
		act      func(*dixa) error
		switches server.Switches
		events   []string
		logged   []string
	}{
		"claim":          {nil, agent(claim), server.Switches{}, []string{"ASSIGNED"}, []string{"ConversationClaimed", "ConversationAssigned"}},
		"claim again":    {[]server.Step{claim}, agent(claim), server.Switches{}, nil, nil},
		"assign":         {nil, agent(server.Step{Action: server.PlayAssign, To: server.SeedAgentBen}), server.Switches{}, []string{"ASSIGNED"}, []string{"ConversationAssigned"}},
		"assign another": {[]server.Step{claim}, agent(server.Step{Action: server.PlayAssign, To: server.SeedAgentBen}), server.Switches{}, []string{"UNASSIGNED", "ASSIGNED"}, []string{"ConversationUnassigned", "ConversationAssigned"}},
		"unassign":       {[]server.Step{claim}, agent(server.Step{Action: server.PlayUnassign}), server.Switches{}, []string{"UNASSIGNED"}, []string{"ConversationUnassigned"}},
		"enqueue":        {nil, agent(server.Step{Action: server.PlayEnqueue}), server.Switches{}, []string{"ENQUEUED"}, []string{"ConversationOffered"}},
		"transfer to a queue": {
			[]server.Step{claim},
			agent(server.Step{Action: server.PlayTransfer, Queue: server.SeedQueueClaims}),
			server.Switches{Webhooks: server.WebhookSwitches{TransferredNames: "two"}},
			[]string{"UNASSIGNED", "ENQUEUED", "TRANSFERRED_TO_QUEUE"},
			[]string{"ConversationUnassigned", "TransferInitiated", "ConversationOffered", "TransferSuccessful"},
		},
		"transfer to an agent": {
			[]server.Step{claim},
			agent(server.Step{Action: server.PlayTransfer, To: server.SeedAgentBen}),
			server.Switches{Webhooks: server.WebhookSwitches{TransferredNames: "two"}},
			[]string{"UNASSIGNED", "ASSIGNED", "TRANSFERRED_TO_AGENT"},
			[]string{"TransferInitiated", "ConversationUnassigned", "ConversationAssigned", "TransferSuccessful"},
		},
		"transfer, one name": {
			nil, agent(server.Step{Action: server.PlayTransfer, To: server.SeedAgentBen}),
			server.Switches{},
			[]string{"ASSIGNED", "TRANSFERRED"},
			[]string{"TransferInitiated", "ConversationAssigned", "TransferSuccessful"},
		},
		"tag":                         {nil, agent(server.Step{Action: server.PlayTag, Tag: "x"}), server.Switches{}, []string{"TAG_ADDED"}, []string{"TagAdded"}},
		"untag":                       {[]server.Step{{Action: server.PlayTag, Tag: "x"}}, agent(server.Step{Action: server.PlayUntag, Tag: "x"}), server.Switches{}, []string{"TAG_REMOVED"}, []string{"TagRemoved"}},
		"note":                        {nil, agent(server.Step{Action: server.PlayNote, Text: "x"}), server.Switches{}, []string{"NOTE_ADDED"}, []string{"NoteAdded"}},
		"reply":                       {nil, agent(server.Step{Action: server.PlayReply, Text: "x", Attachments: []string{files + "/photo.jpg"}}), server.Switches{}, []string{"MESSAGE_ADDED"}, []string{"MessageAddedByAgent"}},
		"customer reply":              {nil, customer(server.Step{Action: server.PlayReply, Text: "x", Attachments: []string{files + "/photo.jpg"}}), server.Switches{}, []string{"MESSAGE_ADDED"}, []string{"MessageAddedByCustomer"}},
		"customer reply when closed":  {[]server.Step{claim, {Action: server.PlayClose}}, customer(server.Step{Action: server.PlayReply, Text: "x"}), server.Switches{}, []string{"MESSAGE_ADDED", "OPEN", "ENQUEUED"}, []string{"MessageAddedByCustomer", "ConversationReopened", "ConversationOffered"}},
		"customer reply when pending": {[]server.Step{pending}, customer(server.Step{Action: server.PlayReply, Text: "x"}), server.Switches{}, []string{"MESSAGE_ADDED"}, []string{"MessageAddedByCustomer"}},
		"customer reply reopens":      {[]server.Step{pending}, customer(server.Step{Action: server.PlayReply, Text: "x"}), server.Switches{MessageOnPending: server.InboundReopens}, []string{"MESSAGE_ADDED"}, []string{"MessageAddedByCustomer", "FollowupRemoved"}},
		"rate":                        {nil, customer(server.Step{Action: server.PlayRate, Score: 4, Text: "x"}), server.Switches{}, []string{"RATED", "RATED"}, []string{"ConversationRated"}},
		"pending":                     {nil, agent(pending), server.Switches{}, []string{"PENDING"}, []string{"FollowupAdded", "ConversationPending"}},
		"expire":                      {[]server.Step{pending}, agent(server.Step{Action: server.PlayExpire}), server.Switches{}, []string{"PENDING_EXPIRED"}, []string{"FollowupExpired"}},
		"unpend":                      {[]server.Step{pending}, agent(server.Step{Action: server.PlayUnpend}), server.Switches{}, nil, []string{"FollowupRemoved"}},
		"unpend with event":           {[]server.Step{pending}, agent(server.Step{Action: server.PlayUnpend}), server.Switches{Webhooks: server.WebhookSwitches{FollowupRemoved: "open"}}, []string{"OPEN"}, []string{"FollowupRemoved"}},
		"close":                       {[]server.Step{claim}, agent(server.Step{Action: server.PlayClose}), server.Switches{}, []string{"CLOSED"}, []string{"ConversationClosed"}},
		"close unassigned":            {nil, agent(server.Step{Action: server.PlayClose}), server.Switches{}, []string{"CLOSED", "ABANDONED"}, []string{"ConversationClosed"}},
		"reopen":                      {[]server.Step{claim, {Action: server.PlayClose}}, agent(server.Step{Action: server.PlayReopen}), server.Switches{}, []string{"OPEN", "ENQUEUED"}, []string{"ConversationReopened", "ConversationOffered"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := receive(t)
			d := start(t, server.Options{Switches: test.switches})
			d.subscribe(hook.url, nil)
			d.open(d.customer("a@example.org"))
			require.NoError(t, d.Agent(t.Context(), test.before...))
			d.flush()
			told := len(hook.names())
			earlier, _ := d.activity(0)
			require.NoError(t, test.act(d))
			d.flush()
			var events []string
			for _, name := range hook.names()[told:] {
				events = append(events, name[len("CONVERSATION_"):])
			}
			require.Equal(t, test.events, events)
			_, types := d.activity(len(earlier))
			require.Equal(t, test.logged, types)
		})
	}
}

func TestEndUserIsReplaced(t *testing.T) {
	t.Parallel()
	for _, guessed := range []bool{false, true} {
		hook := receive(t)
		d := start(t, server.Options{Switches: server.Switches{Webhooks: server.WebhookSwitches{GuessedMembers: guessed}}})
		d.subscribe(hook.url, object{"events": []string{"ConversationEndUserReplaced"}})
		former := d.customer("a@example.org")
		d.open(former)
		found := d.customer("b@example.org")
		require.ErrorContains(t, d.Agent(t.Context(), server.Step{Action: server.PlayReplace, EndUser: server.SeedAgentBen}), "not found")
		require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayReplace, EndUser: found}))
		d.flush()
		var conversation struct {
			RequesterID string `json:"requesterId"`
		}
		d.do(http.MethodGet, "/conversations/1001", nil, http.StatusOK).data(&conversation)
		require.Equal(t, found, conversation.RequesterID)
		require.Equal(t, []string{"CONVERSATION_END_USER_REPLACED"}, hook.names())
		data := hook.got[0].event.Data
		require.Equal(t, found, part(t, part(t, data, "conversation"), "requester")["id"])
		_, told := data["previous_requester"]
		require.Equal(t, guessed, told)
		entries, _ := d.activity(0)
		last := entries[len(entries)-1]
		require.Equal(t, "ConversationEndUserReplaced", last.Type)
		require.Equal(t, server.SeedAgentAnna, last.Author.ID)
		require.Equal(t, former, part(t, last.Attributes, "oldUser")["id"])
		require.Equal(t, found, part(t, last.Attributes, "newUser")["id"])
	}
}

func TestTransferErrors(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	d.open(d.customer("a@example.org"))
	for words, step := range map[string]server.Step{
		`agent "nobody" not found`:        {Action: server.PlayTransfer, To: "nobody"},
		`agent "" not found`:              {Action: server.PlayAssign},
		`queue "none" not found`:          {Action: server.PlayEnqueue, Queue: "none"},
		`the conversation is not pending`: {Action: server.PlayUnpend},
		`end user "" not found`:           {Action: server.PlayReplace},
	} {
		require.ErrorContains(t, d.Agent(t.Context(), step), words)
	}
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayAssign, To: server.SeedAgentBen}))
	require.Equal(t, server.SeedAgentBen, d.State().Conversations[0].AssigneeID)
	entries, _ := d.activity(0)
	last := entries[len(entries)-1]
	require.Equal(t, server.SeedAgentAnna, last.Author.ID, "assigning agent")
	require.Equal(t, server.SeedAgentBen, last.Attributes["agentId"], "assigned agent")
}

// A follow-up that was removed or has expired does not expire again.
func TestFollowupEndsOnce(t *testing.T) {
	t.Parallel()
	for _, action := range []string{server.PlayUnpend, server.PlayExpire} {
		clock := newClock()
		d := start(t, server.Options{Clock: clock.Now, Switches: server.Switches{FollowupExpiry: server.StateAwaitingPending}})
		d.open(d.customer("a@example.org"))
		require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayPending}, server.Step{Action: action}))
		state := map[string]string{server.PlayUnpend: server.StateOpen, server.PlayExpire: server.StateAwaitingPending}[action]
		require.Equal(t, state, d.State().Conversations[0].State)
		entries, _ := d.activity(0)
		clock.Advance(48 * time.Hour)
		d.Settle()
		require.Equal(t, state, d.State().Conversations[0].State)
		again, _ := d.activity(0)
		require.Len(t, again, len(entries))
	}
}
