package onboarding

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
)

// TestTag is the tag of conversations that a [Trial] opens.
const TestTag = "claimflow-test"

const (
	testSubject = "Claimflow test"
	testBody    = "Claimflow opened this conversation to test the connection. It will be closed automatically; no action is needed."
	testNote    = "Claimflow wrote this note to test the connection."
	testReply   = "Claimflow sent this reply to test the connection."
)

// The probes of a test, in order.
const (
	probeRead   = "read customers"
	probeCreate = "create a customer"
	probeOpen   = "open a conversation"
	probeTag    = "tag it"
	probeNote   = "write a note"
	probeAuto   = "auto-reply"
	probeReply  = "send a reply"
	probeThread = "reply in the same thread"
	probeClose  = "close it"
)

// Test runs a [Trial].
func (s *Service) Test(ctx context.Context, shop, email, agent string) (claim.Report, error) {
	t, err := s.NewTrial(ctx, shop, agent)
	if err != nil {
		return claim.Report{}, err
	}
	return t.Run(ctx, email, nil), nil
}

// Trial is a test of a shop's connection that can begin.
type Trial struct {
	client   *dixa.Client
	settings claim.Settings
	agent    string
	wait     time.Duration
	report   *report
}

// NewTrial prepares a test and sends nothing yet. If agent is empty, the shop's default agent
// replies. The error is a [*Refusal] if nothing can be tested.
func (s *Service) NewTrial(ctx context.Context, shop, agent string) (*Trial, error) {
	in, err := s.store.Settings.Integration(ctx, shop)
	if err != nil {
		return nil, err
	}
	client, err := s.client(ctx, in)
	if err != nil {
		return nil, err
	}
	if in.Effective.EmailIntegrationID == "" {
		return nil, refuse(NotReady, nil, "No contact endpoint is set, so conversations have no mailbox. Set email_integration_id first; %s.", s.mailboxesInWords(ctx, client))
	}
	return &Trial{client: client, settings: in.Effective, agent: cmp.Or(agent, in.Effective.DefaultAgentID), wait: s.wait}, nil
}

// Run opens a conversation tagged [TestTag] on behalf of an address. It determines what the
// token may do and whether Dixa replies automatically. It then replies as an agent, checks
// that the conversation lists the reply, and closes the conversation. The report lists the
// failures, such as every write if the shop's settings are read-only. Dixa sends email to the
// address. each is called with every check as soon as it ends; it may be nil.
func (t *Trial) Run(ctx context.Context, email string, each func(claim.Check)) claim.Report {
	t.report = newReport(each)
	t.run(ctx, email)
	return t.report.Report
}

func (t *Trial) run(ctx context.Context, email string) {
	user, ok := t.customer(ctx, email)
	if !ok {
		t.report.skip("no customer is available", probeOpen, probeTag, probeNote, probeAuto, probeReply, probeThread, probeClose)
		return
	}
	id, ok := t.open(ctx, user)
	if !ok {
		t.report.skip("no conversation was opened", probeTag, probeNote, probeAuto, probeReply, probeThread, probeClose)
		return
	}
	t.report.ConversationID = id
	conversations := t.client.Conversations
	t.report.try(probeTag, connection.Do(ctx, func() error { return conversations.AddTags(ctx, id, TestTag) }), "tagged %s", TestTag)
	_, err := connection.Call(ctx, func() (*dixa.Note, error) {
		return conversations.AddNote(ctx, id, dixa.NoteInput{Message: testNote})
	})
	t.report.try(probeNote, err, "written")
	t.lookForAutoReply(ctx, id)
	t.reply(ctx, id)
	// The conversation is closed even if the caller has stopped waiting.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), connection.InteractiveWait)
	defer cancel()
	t.report.try(probeClose, connection.Do(closing, func() error { return conversations.Close(closing, id, "") }), "closed")
}

// customer finds the end user of the address or creates one.
func (t *Trial) customer(ctx context.Context, email string) (string, bool) {
	found, err := connection.Call(ctx, func() (string, error) {
		for user, err := range t.client.EndUsers.List(ctx, dixa.EndUserFilter{Email: email}) {
			if err != nil {
				return "", err
			}
			return user.ID, nil
		}
		return "", nil
	})
	if dixa.IsNotFound(err) {
		found, err = "", nil
	}
	if !t.report.try(probeRead, err, "allowed") {
		t.report.skip("customers could not be read", probeCreate)
		return "", false
	}
	if found != "" {
		t.report.skip("the customer already exists", probeCreate)
		return found, true
	}
	user, err := connection.Call(ctx, func() (*dixa.EndUser, error) {
		return t.client.EndUsers.Create(ctx, dixa.EndUserInput{Email: email, DisplayName: testSubject})
	})
	if dixa.IsEmailExists(err) {
		t.report.add(probeCreate, claim.CheckFailed, "the address already exists in Dixa, but no customer with it was found: it may belong to an agent or differ in letter case; use another address")
		return "", false
	}
	if !t.report.try(probeCreate, err, "created; the customer remains in Dixa") {
		return "", false
	}
	return user.ID, true
}

func (t *Trial) open(ctx context.Context, user string) (int64, bool) {
	id, err := connection.Call(ctx, func() (int64, error) {
		return t.client.Conversations.Create(ctx, dixa.NewConversation{
			Type: dixa.NewEmail, RequesterID: user, EmailIntegrationID: t.settings.EmailIntegrationID,
			Subject: testSubject, Message: dixa.MessageInput{Type: dixa.Inbound, Content: dixa.TextContent(testBody)},
		})
	})
	if dixa.OutcomeOf(err) == dixa.Ambiguous {
		t.report.add(probeOpen, claim.CheckFailed, "no usable response, so the conversation may be open: search Dixa for %q and close it", testSubject)
		return 0, false
	}
	return id, t.report.try(probeOpen, err, "conversation %d in %s", id, t.settings.EmailIntegrationID)
}

// lookForAutoReply checks for a message that Dixa wrote.
func (t *Trial) lookForAutoReply(ctx context.Context, id int64) {
	m, err := t.await(ctx, id, func(m *dixa.Message) bool {
		return m.Attributes.Direction == dixa.Outbound || m.Attributes.IsAutoReply != nil && *m.Attributes.IsAutoReply
	})
	switch {
	case err != nil:
		t.report.add(probeAuto, claim.CheckFailed, "the messages could not be read: %s", failure(err))
	case m != nil:
		t.report.add(probeAuto, claim.CheckOK, "Dixa sends an automatic reply: every customer whose claim opens a conversation receives it. Turn it off for the mailbox in Dixa if you do not want it")
	default:
		t.report.add(probeAuto, claim.CheckOK, "no automatic reply%s", within(t.wait))
	}
}

// reply replies to the customer as an agent and checks that the conversation lists
// the reply.
func (t *Trial) reply(ctx context.Context, id int64) {
	if t.agent == "" {
		t.report.skip("a reply requires an agent: specify one (--agent, agent_id) or set default_agent_id", probeReply, probeThread)
		return
	}
	added, err := connection.Call(ctx, func() (*dixa.AddedMessage, error) {
		return t.client.Conversations.AddMessage(ctx, id, dixa.MessageInput{Type: dixa.Outbound, AgentID: t.agent, Content: dixa.TextContent(testReply)})
	})
	if !t.report.try(probeReply, err, "sent as agent %s", t.agent) {
		t.report.skip("the reply was not confirmed", probeThread)
		return
	}
	m, err := t.await(ctx, id, func(m *dixa.Message) bool { return m.ID == added.MessageID })
	switch {
	case err != nil:
		t.report.add(probeThread, claim.CheckFailed, "the messages could not be read: %s", failure(err))
	case m == nil:
		t.report.add(probeThread, claim.CheckFailed, "Dixa does not list the reply in conversation %d%s; check in Dixa where it was sent", id, within(t.wait))
	case m.Attributes.DeliveryFailureReason != "":
		t.report.add(probeThread, claim.CheckFailed, "Dixa could not deliver the reply: %s", m.Attributes.DeliveryFailureReason)
	case m.Attributes.Direction != dixa.Outbound:
		t.report.add(probeThread, claim.CheckFailed, "Dixa lists the reply as %s, so it is not sent to the customer", cmp.Or(string(m.Attributes.Direction), "a message without direction"))
	default:
		t.report.add(probeThread, claim.CheckOK, "conversation %d lists the reply after the opening message", id)
	}
}

// await reads a conversation's messages once a second until one is as wanted. It
// returns nil if none is in time.
func (t *Trial) await(ctx context.Context, id int64, wanted func(*dixa.Message) bool) (*dixa.Message, error) {
	deadline := time.NewTimer(t.wait)
	defer deadline.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		messages, err := connection.Call(ctx, func() ([]*dixa.Message, error) { return t.client.Conversations.Messages(ctx, id) })
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(messages, wanted); i >= 0 {
			return messages[i], nil
		}
		if t.wait < 0 {
			return nil, nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func within(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return " within " + d.String()
}
