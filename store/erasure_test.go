package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// customer is a customer with a claim, a conversation and everything that can hold
// personal data.
type customer struct {
	email, endUser string
	ref            claim.Ref
	conversation   int64
}

// addCustomer stores a customer.
func addCustomer(t *testing.T, s *store.Store, connection, email string, conversation int64) customer {
	t.Helper()
	ctx := t.Context()
	c := customer{email: email, endUser: "eu-" + email, conversation: conversation}
	body := sample(fmt.Sprint("c-", conversation))
	body.Customer.Email = email
	body.Description = "Write to " + email
	body.Order.Address = claim.Address{Name: "Ada", Street: "1 Mill Lane", Phone: "+4915112345678"}
	body.Shipments = []claim.Shipment{{Carrier: "DHL", TrackingNumber: "T-1", Phase: "delivered"}}
	c.ref = accept(t, s, body)
	require.NoError(t, s.Claims.SaveDraft(ctx, c.ref, "ticket", map[string]string{"to": email}))
	_, err := s.Customers.Reserve(ctx, connection, "email:"+email, c.ref.String(), time.Minute)
	require.NoError(t, err)
	require.NoError(t, s.Customers.Remember(ctx, connection, []string{"email:" + email}, c.endUser, c.ref.String()))
	change(t, s, c.ref, claim.EventStart)
	require.NoError(t, s.Intents.Finish(ctx, c.ref, claim.StepCustomer, c.endUser))
	require.NoError(t, s.Links.Create(ctx, store.LinkInput{Ref: c.ref, ConnectionID: connection, ConversationID: conversation, EndUserID: c.endUser}))
	receive(t, s, connection, store.DixaEvent{
		ID: fmt.Sprint("e-", conversation), Name: "ConversationMessageAdded", ConversationID: conversation, HappenedAt: began,
		Organization: store.Organization{ID: "org-1"}, Body: []byte(`{"from":"` + email + `"}`),
	})
	joinAll(t, s, 10)
	_, err = s.Claims.Change(ctx, c.ref, claim.EventOpened, store.ClaimUpdate{
		LastError: "Dixa refused something", Outbox: []store.OutboxEvent{{Type: claim.OutboundOpened}},
		Timeline: []store.TimelineEntry{{ID: "t-1", TimelineEntry: claim.TimelineEntry{At: began, What: "written by " + email}}},
	})
	require.NoError(t, err)
	_, _, err = s.Instructions.Add(ctx, claim.Instruction{Ref: c.ref, ID: "i-1", Kind: claim.InstructReply, Body: json.RawMessage(`{"text":"dear ` + email + `"}`), By: "shop"})
	require.NoError(t, err)
	_, err = s.OwnerInbox.Receive(ctx, store.OwnerEvent{Shop: "acme", ID: "o-" + email, Ref: "claims/updated", ClaimID: c.ref.ID, Body: []byte(`{"email":"` + email + `"}`)})
	require.NoError(t, err)
	merge(t, s, c.history(t, connection))
	_, err = s.Mirror.SaveDirectory(ctx, connection, mirror.KindEndUser, []mirror.DirectoryEntry{{ID: c.endUser, Name: "Ada", Object: json.RawMessage(`{"id":"` + c.endUser + `","email":"` + email + `"}`)}}, began)
	require.NoError(t, err)
	return c
}

// history is what Dixa knows of the customer's conversation.
func (c customer) history(t *testing.T, connection string) store.MirrorBatch {
	t.Helper()
	b := everything(t, connection, c.conversation)
	b.Facts[0] = exported(c.conversation, func(row *dixa.ExportedConversation) { row.RequesterID, row.RequesterEmail = c.endUser, c.email })
	b.Messages[0].Text, b.Messages[0].AuthorEmail = "I am "+c.email, c.email
	b.Messages[0].Author = &claim.Person{ID: c.endUser, Name: "Ada"}
	b.Activities[0].AuthorID = c.endUser
	return b
}

// subjects are what belongs to the customer.
func (c customer) subjects(connection string) []store.ErasureSubject {
	return []store.ErasureSubject{
		{Kind: store.SubjectClaim, ID: c.ref.ID},
		{Kind: store.SubjectEndUser, ConnectionID: connection, ID: c.endUser},
		{Kind: store.SubjectConversation, ConnectionID: connection, ID: fmt.Sprint(c.conversation)},
	}
}

// told returns everything that the store has of a customer, as text.
func (c customer) told(t *testing.T, s *store.Store, connection string) string {
	t.Helper()
	ctx := t.Context()
	var all []string
	add := func(v any, err error) {
		require.NoError(t, err)
		all = append(all, asJSON(t, v))
	}
	for _, body := range []func() (*claim.Claim, error){
		func() (*claim.Claim, error) { body, _, err := s.Claims.OpeningBody(ctx, c.ref); return body, err },
		func() (*claim.Claim, error) { return s.Claims.LatestBody(ctx, c.ref) },
	} {
		add(body())
	}
	w := load(t, s, c.ref)
	w.UpdatedAt = time.Time{}
	add(w, nil)
	add(s.Outbox.List(ctx, c.ref))
	add(s.Conversations.LatestTimeline(ctx, c.ref, 10))
	add(s.Mirror.Conversation(ctx, connection, c.conversation))
	add(s.Mirror.Messages(ctx, connection, c.conversation))
	add(s.Mirror.Activities(ctx, connection, c.conversation))
	add(s.Inbox.EventsOf(ctx, c.ref, 10))
	var draft map[string]string
	if err := s.Claims.Draft(ctx, c.ref, "ticket", &draft); err == nil {
		add(draft, nil)
	}
	events, err := s.OwnerInbox.Waiting(ctx, 10)
	for _, e := range events {
		if e.ClaimID == c.ref.ID {
			all = append(all, string(e.Body))
		}
	}
	require.NoError(t, err)
	add(s.Customers.EndUserOf(ctx, connection, "email:"+c.email))
	link, err := s.Links.Get(ctx, c.ref)
	add(link, err)
	intent, err := s.Intents.Get(ctx, c.ref, claim.StepCustomer)
	add(intent, err)
	entries, err := s.Mirror.Directory(ctx, connection, mirror.KindEndUser)
	require.NoError(t, err)
	for _, e := range entries {
		if e.ID == c.endUser {
			add(e, nil)
		}
	}
	all = append(all, value[string](t, s, `SELECT requester_id FROM figures WHERE conversation_id = $1`, c.conversation),
		value[string](t, s, `SELECT customer FROM claims WHERE id = $1`, c.ref.ID))
	return strings.ReplaceAll(strings.Join(all, "\n"), `\"`, `"`)
}

// begin begins the erasure of a customer with what belongs to the customer.
func (c customer) begin(t *testing.T, s *store.Store, connection string, dryRun bool) (claim.Erasure, store.ErasurePerson) {
	t.Helper()
	e, fresh, err := s.Erasures.Begin(t.Context(), "acme", claim.ErasureRequest{Email: strings.ToUpper(c.email), DryRun: dryRun})
	require.NoError(t, err)
	require.True(t, fresh)
	require.NoError(t, s.Erasures.Found(t.Context(), e.ID, c.subjects(connection), []string{c.email}))
	person, err := s.Erasures.Person(t.Context(), e.ID)
	require.NoError(t, err)
	return e, person
}

func leftovers(t *testing.T, s *store.Store, e claim.Erasure, p store.ErasurePerson, subjects []store.ErasureSubject) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, x := range subjects {
		found, err := s.Erasures.Leftovers(t.Context(), e, p, x)
		require.NoError(t, err)
		for table, n := range found {
			all[table] += n
		}
	}
	return all
}

func report(t *testing.T, s *store.Store, e claim.Erasure) claim.Erasure {
	t.Helper()
	e, err := s.Erasures.Get(t.Context(), e.Shop, e.ID)
	require.NoError(t, err)
	return e
}

func TestErasureRemovesOneCustomer(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, now *clock, connection string) {
		ctx := t.Context()
		ada := addCustomer(t, s, connection, "ada@customer.example", 1)
		others := []customer{addCustomer(t, s, connection, "ada@customer.example.org", 2), addCustomer(t, s, connection, "xada@customer.example", 3)}
		var before []string
		for _, c := range others {
			before = append(before, c.told(t, s, connection))
		}
		require.Contains(t, ada.told(t, s, connection), ada.email)
		figures := storedFigures(t, s, connection, ada.conversation)

		e, person := ada.begin(t, s, connection, false)
		require.NotEmpty(t, leftovers(t, s, e, person, ada.subjects(connection)), "the check must find what is not erased")
		_, fresh, err := s.Erasures.Begin(ctx, "acme", claim.ErasureRequest{Email: ada.email})
		require.NoError(t, err)
		require.False(t, fresh, "two erasures of one customer are one")

		// Every step runs twice, as after a kill.
		var first claim.Erasure
		for range 2 {
			unread, err := s.Erasures.Stop(ctx, e.ID)
			require.NoError(t, err)
			require.Equal(t, 1, unread)
		}
		require.Equal(t, claim.StateAbandoned, load(t, s, ada.ref).State)
		require.NoError(t, s.Nudges.MarkRead(ctx, ada.ref, load(t, s, ada.ref).Revision))
		unread, err := s.Erasures.Stop(ctx, e.ID)
		require.NoError(t, err)
		require.Zero(t, unread)
		for i := range 3 {
			if i == 2 {
				require.NoError(t, s.Erasures.Again(ctx, e.ID))
			}
			for _, x := range ada.subjects(connection) {
				more, err := s.Erasures.Erase(ctx, e, x)
				require.NoError(t, err)
				require.False(t, more)
			}
			if i == 0 {
				first = report(t, s, e)
			}
			require.Equal(t, first.Report, report(t, s, e).Report, "a repetition must not count again")
		}
		require.Equal(t, map[string]int{
			"claims": 1, "drafts": 1, "instructions": 1, "timeline": 1, "outbox": 2, "intents": 1, "links": 1, "owner_inbox": 1,
			"conversations": 1, "messages": 3, "activities": 4, "inbox": 1, "customers": 1, "directory": 1,
		}, first.Report.Rows)
		require.Equal(t, []int{1, 1, 1, 1}, []int{first.Report.Claims, first.Report.Conversations, first.Report.EndUsers, first.Report.Stopped})

		require.Empty(t, leftovers(t, s, e, person, ada.subjects(connection)))
		after := ada.told(t, s, connection)
		for _, gone := range []string{"ada@", "Ada", "Lovelace", "Mill Lane", "4915112345678", "T-1", "#c-1", "Broken vase", "eu-", "19.90", "vase"} {
			require.NotContains(t, after, gone)
		}
		for i, c := range others {
			require.Equal(t, before[i], c.told(t, s, connection), "another customer was touched")
		}
		kept := storedFigures(t, s, connection, ada.conversation)
		require.Equal(t, figures.CustomerMessages, kept.CustomerMessages)
		require.Equal(t, figures.FirstResponseAt, kept.FirstResponseAt)
		require.NotZero(t, kept.AnonymizedAt)
		require.Equal(t, "dhl", value[string](t, s, `SELECT carrier_key FROM claims WHERE id = $1`, ada.ref.ID))

		// An import and a late event do not bring the conversation back.
		merge(t, s, ada.history(t, connection))
		require.Empty(t, leftovers(t, s, e, person, ada.subjects(connection)))

		require.NoError(t, s.Erasures.End(ctx, e.ID, nil))
		require.NoError(t, s.Erasures.End(ctx, e.ID, map[string]int{"claims": 1}), "an ended erasure stays ended")
		ended := report(t, s, e)
		require.Equal(t, claim.ErasureDone, ended.State)
		require.Empty(t, ended.Report.Leftovers)
		_, err = s.Erasures.Person(ctx, e.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Equal(t, 0, value[int](t, s, `SELECT COUNT(*) FROM erasures WHERE person IS NOT NULL`))

		// The person can become a customer again.
		now.Turn(time.Hour)
		again := addCustomer(t, s, connection, ada.email, 9)
		require.Contains(t, again.told(t, s, connection), ada.email)
	})
}

func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		ada := addCustomer(t, s, connection, "ada@customer.example", 1)
		before := ada.told(t, s, connection)
		e, _ := ada.begin(t, s, connection, true)
		for range 2 {
			for _, x := range ada.subjects(connection) {
				more, err := s.Erasures.Erase(t.Context(), e, x)
				require.NoError(t, err)
				require.False(t, more)
			}
		}
		require.Equal(t, before, ada.told(t, s, connection))
		rows := report(t, s, e).Report.Rows
		require.Equal(t, 1, rows["claims"])
		require.Equal(t, 3, rows["messages"])
	})
}

func TestErasedClaimStaysErased(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		ctx := t.Context()
		ada := addCustomer(t, s, connection, "ada@customer.example", 1)
		e, person := ada.begin(t, s, connection, false)
		_, err := s.Erasures.Stop(ctx, e.ID)
		require.NoError(t, err)
		for _, x := range ada.subjects(connection) {
			_, err := s.Erasures.Erase(ctx, e, x)
			require.NoError(t, err)
		}
		require.Equal(t, claim.UpdateErased, update(t, s, ada.ref, `{"description": "ada@customer.example writes again"}`).Result)
		var conflict *store.ConflictError
		require.ErrorAs(t, s.Claims.Retry(ctx, ada.ref, store.RetryOptions{}), &conflict)
		require.ErrorAs(t, s.Claims.Link(ctx, ada.ref, 77), &conflict)
		_, _, err = s.Instructions.Add(ctx, claim.Instruction{Ref: ada.ref, ID: "i-2", Kind: claim.InstructNote, Body: json.RawMessage(`{"text":"ada@customer.example"}`)})
		require.ErrorAs(t, err, &conflict)
		body := sample(ada.ref.ID)
		accepted, err := s.Claims.Accept(ctx, body)
		require.NoError(t, err)
		require.NotEmpty(t, accepted.Differences, "the id is taken")
		require.Empty(t, leftovers(t, s, e, person, ada.subjects(connection)[:1]))
	})
}

func TestErasureReportsLeftovers(t *testing.T) {
	t.Parallel()
	s, _, connection := mirrored(t, memory)
	ada := addCustomer(t, s, connection, "ada@customer.example", 1)
	e, _ := ada.begin(t, s, connection, false)
	require.NoError(t, s.Erasures.Step(t.Context(), e.ID, claim.ErasureFind))
	require.NoError(t, s.Erasures.Answered(t.Context(), e.ID, store.ErasureSubject{
		Kind: store.SubjectEndUser, ConnectionID: connection, ID: ada.endUser, Result: claim.AnswerRefused, Detail: "status 400",
	}))
	require.NoError(t, s.Erasures.End(t.Context(), e.ID, map[string]int{"messages": 2}))
	ended := report(t, s, e)
	require.Equal(t, claim.ErasureFailed, ended.State)
	require.Contains(t, ended.Why, "messages")
	require.Equal(t, []claim.ErasureAnswer{{Result: claim.AnswerRefused, Detail: "status 400"}}, ended.Report.Dixa)
	require.NotZero(t, ended.Steps[0].FinishedAt)
}

func TestErasureNeedsExactlyOneName(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, memory)
	for _, r := range []claim.ErasureRequest{{}, {Email: "a@b.example", Phone: "+45"}, {EndUserID: "  "}} {
		_, _, err := s.Erasures.Begin(t.Context(), "acme", r)
		require.Error(t, err)
	}
	_, _, err := s.Erasures.Begin(t.Context(), "nobody", claim.ErasureRequest{Email: "a@b.example"})
	require.ErrorIs(t, err, store.ErrNotFound)
}

// A customer's messages in the conversations of others go, and nothing else of them.
func TestErasureRemovesMessagesInOtherConversations(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		b := everything(t, connection, 5)
		b.Messages[0].Author = &claim.Person{ID: "eu-ada"}
		merge(t, s, b)
		before, err := s.Mirror.Messages(t.Context(), connection, 5)
		require.NoError(t, err)
		e, _, err := s.Erasures.Begin(t.Context(), "acme", claim.ErasureRequest{EndUserID: "eu-ada"})
		require.NoError(t, err)
		x := store.ErasureSubject{Kind: store.SubjectEndUser, ConnectionID: connection, ID: "eu-ada"}
		require.NoError(t, s.Erasures.Found(t.Context(), e.ID, []store.ErasureSubject{x}, nil))
		more, err := s.Erasures.Erase(t.Context(), e, x)
		require.NoError(t, err)
		require.False(t, more)
		after, err := s.Mirror.Messages(t.Context(), connection, 5)
		require.NoError(t, err)
		require.Empty(t, after[0].Text)
		require.Nil(t, after[0].Author)
		require.Equal(t, before[1:], after[1:])
		require.Equal(t, map[string]int{"messages": 1}, report(t, s, e).Report.Rows)
	})
}

// An import that read a conversation before its customer was erased, and stores it
// afterwards, does not bring the customer back.
func TestErasureOutlastsARunningImport(t *testing.T) {
	t.Parallel()
	onEachMirror(t, func(t *testing.T, s *store.Store, _ *clock, connection string) {
		ctx := t.Context()
		ada := customer{email: "ada@customer.example", endUser: "eu-ada", conversation: 7}
		read := ada.history(t, connection)
		e, person := ada.begin(t, s, connection, false)
		x := store.ErasureSubject{Kind: store.SubjectConversation, ConnectionID: connection, ID: "7"}
		_, err := s.Erasures.Erase(ctx, e, x)
		require.NoError(t, err)

		early := store.MirrorBatch{ConnectionID: connection, Messages: read.Messages[:1], Unknown: true}
		merge(t, s, early)
		read.Messages = read.Messages[1:]
		merge(t, s, read)
		require.Empty(t, leftovers(t, s, e, person, []store.ErasureSubject{x}))
		conversation, err := s.Mirror.Conversation(ctx, connection, 7)
		require.NoError(t, err)
		messages, err := s.Mirror.Messages(ctx, connection, 7)
		require.NoError(t, err)
		require.Len(t, messages, 3, "messages stay, without their content")
		require.NotContains(t, asJSON(t, conversation)+asJSON(t, messages), "ada@")
		require.NotZero(t, storedFigures(t, s, connection, 7).AnonymizedAt)

		// A dry run erases nobody.
		bob := customer{email: "bob@customer.example", endUser: "eu-bob", conversation: 8}
		bob.begin(t, s, connection, true)
		merge(t, s, bob.history(t, connection))
		conversation, err = s.Mirror.Conversation(ctx, connection, 8)
		require.NoError(t, err)
		require.Contains(t, asJSON(t, conversation), bob.email)
	})
}
