package activities_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

var readings = []string{server.ExternalIDOrganization, server.ExternalIDConversation, server.ExternalIDStored, server.ExternalIDDropped}

func TestConversationIsCreatedInOneRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	customer, err := b.customer(ref)
	require.NoError(t, err)
	before := b.dixa.Stats().Requests
	made, err := b.open(ref)
	require.NoError(t, err)
	require.Equal(t, 1, b.dixa.Stats().Requests-before)
	require.Equal(t, 3, made.Attached)

	c := b.conversations()[0]
	require.Equal(t, made.ID, c.ID)
	require.Equal(t, "Inbound", c.Direction)
	require.Equal(t, server.SeedMailbox, c.ContactPoint)
	require.Equal(t, "en", c.Language)
	require.Equal(t, "#10001 · Damaged · refund", c.Subject)
	message := c.Messages[0]
	require.Equal(t, customer.EndUserID, message.AuthorID)
	require.Contains(t, message.Content.Value, "The mug is broken.")
	require.Contains(t, message.Content.Value, ref.Reference())
	require.Equal(t, ref.ExternalID(claim.StepConversation, 1), message.ExternalID)
	var names []string
	for _, f := range message.Attachments {
		names = append(names, f.PrettyName)
	}
	require.Equal(t, []string{"MUG-01-photo-1.jpg", "photo-1.jpg", "signature.jpg"}, names)

	again, err := b.open(ref)
	require.NoError(t, err)
	require.Equal(t, made, again)
	require.Equal(t, 1, b.dixa.Stats().Requests-before, "an existing link must be used without a search in Dixa")
}

func TestOutboundOpeningUsesAgent(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, map[string]any{"opening": "outbound", "default_agent_id": server.SeedAgentAnna})
	_, err := b.open(b.accept(b.sample("c-1")))
	require.NoError(t, err)
	require.Equal(t, "Outbound", b.conversations()[0].Direction)
	require.Equal(t, server.SeedAgentAnna, b.conversations()[0].Messages[0].AuthorID)

	b = setup(t, server.Switches{}, map[string]any{"opening": "outbound"})
	_, err = b.open(b.accept(b.sample("c-1")))
	requireParked(t, err, claim.CauseRouting)
}

// A response lost after Dixa commits is the main hazard. Only one conversation exists,
// regardless of how Dixa treats the key and how far its lists lag.
func TestUnansweredCreateIsFound(t *testing.T) {
	t.Parallel()
	for _, reading := range readings {
		for _, kind := range []string{server.FaultDropAfter, server.FaultTruncate, server.FaultGarbage} {
			t.Run(reading+" "+kind, func(t *testing.T) {
				t.Parallel()
				b := setup(t, server.Switches{ExternalID: reading}, nil)
				ref := b.accept(b.sample("c-1"))
				b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: kind, Times: 1})
				_, err := b.open(ref)
				require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())
				made, err := b.open(ref)
				require.NoError(t, err)
				require.Len(t, b.conversations(), 1)
				require.Equal(t, b.conversations()[0].ID, made.ID)
				link, err := b.store.Links.Get(t.Context(), ref)
				require.NoError(t, err)
				require.Equal(t, made.ID, link.ConversationID)
			})
		}
	}
}

func TestUnansweredCreateIsNotRepeatedWithinWindow(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{ExternalID: server.ExternalIDDropped, ListLag: server.Duration(1e9)}, map[string]any{"list_lag": "1m"})
	ref := b.accept(b.sample("c-1"))
	b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultDropAfter, Times: 1})
	_, err := b.open(ref)
	require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())
	_, err = b.open(ref)
	app := failure(t, err)
	require.Equal(t, claim.ErrorAmbiguous, app.Type())
	require.Contains(t, app.Message(), "next check")
	require.Greater(t, app.NextRetryDelay().Seconds(), 50.0, "the retry must wait until the window has passed")
	require.Equal(t, 1, b.dixa.Stats().ByOperation["POST /conversations"], "a second create within the window is forbidden")
}

func TestLostCreateIsRepeatedAfterEmptySearch(t *testing.T) {
	t.Parallel()
	for _, reading := range readings {
		t.Run(reading, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{ExternalID: reading}, nil)
			ref := b.accept(b.sample("c-1"))
			b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultDropBefore, Times: 1})
			_, err := b.open(ref)
			require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())
			_, err = b.open(ref)
			require.NoError(t, err)
			require.Len(t, b.conversations(), 1)
			require.Positive(t, b.dixa.Stats().ByOperation["GET /endusers/{userId}/conversations"], "the activity must search before it sends")
			if reading != server.ExternalIDDropped {
				require.Equal(t, ref.ExternalID(claim.StepConversation, 1), b.conversations()[0].Messages[0].ExternalID, "an unanswered try must keep its key")
			}
		})
	}
}

func TestSearchReadsEveryPage(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{DefaultPageLimit: 2, MaxPageLimit: 2, ConversationOrder: server.NewestFirst}, nil)
	ref := b.accept(b.sample("c-lost"))
	b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultDropAfter, Times: 1})
	_, err := b.open(ref)
	require.Error(t, err)
	for i := range 5 { // later claims of the same customer push it to the last page
		_, err := b.open(b.accept(b.sample(fmt.Sprintf("c-%d", i))))
		require.NoError(t, err)
	}
	made, err := b.open(ref)
	require.NoError(t, err)
	require.Equal(t, b.conversations()[0].ID, made.ID)
	require.Len(t, b.conversations(), 6)
}

func TestUnfoundDuplicateIsNotCreatedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	duplicate := server.Fault{Operation: "POST /conversations", Kind: server.FaultStatus, Status: 400, Body: `{"message":"Duplicate externalId"}`}
	b.dixa.Inject(duplicate)
	_, err := b.open(ref)
	require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type(), "the search must be repeated once, because lists may lag")
	_, err = b.open(ref)
	words := requireParked(t, err, claim.CauseOutcomeUnknown)
	require.Contains(t, words, "cannot be found")
	b.dixa.ClearFaults()
	require.Empty(t, b.conversations())

	// A person checked, found no conversation, and requests a create anyway.
	park(t, b, ref)
	require.NoError(t, b.store.Claims.Retry(t.Context(), ref, store.RetryOptions{CreateAnyway: true}))
	b.load(ref)
	_, err = b.open(ref)
	require.NoError(t, err)
	require.Len(t, b.conversations(), 1)
	require.Equal(t, ref.ExternalID(claim.StepConversation, 2), b.conversations()[0].Messages[0].ExternalID, "the forced create must use a new key")
}

// park parks a claim for an unknown outcome, as its workflow would.
func park(t *testing.T, b *bench, ref claim.Ref) {
	t.Helper()
	var claims *activities.Claims
	_, err := run[claim.WorkflowState](b, claims.SyncStatus, activities.StatusChange{Ref: ref, Event: claim.EventPark, Cause: claim.CauseOutcomeUnknown})
	require.NoError(t, err)
}

func TestOperatorLinksConversation(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	other := b.accept(b.sample("c-other"))
	_, err := b.open(other)
	require.NoError(t, err)
	ref := b.accept(b.sample("c-1"))
	park(t, b, ref)
	require.NoError(t, b.store.Claims.Link(t.Context(), ref, 4711))
	state := b.load(ref)
	require.EqualValues(t, 4711, state.ConversationID)
	require.Equal(t, claim.StateOpening, state.State)
}

func TestRejectedCreateIsDiagnosed(t *testing.T) {
	t.Parallel()
	t.Run("deleted mailbox", func(t *testing.T) {
		t.Parallel()
		for _, status := range []string{"400", "404"} {
			b := setup(t, server.Switches{UnknownContactEndpoint: status}, map[string]any{"email_integration_id": "gone@demo.email.dixa.io"})
			_, err := b.open(b.accept(b.sample("c-1")))
			require.Contains(t, requireParked(t, err, claim.CauseContactEndpoint), "not a contact endpoint")
		}
	})
	t.Run("no mailbox configured", func(t *testing.T) {
		t.Parallel()
		b := setup(t, server.Switches{}, map[string]any{"email_integration_id": ""})
		_, err := b.open(b.accept(b.sample("c-1")))
		requireParked(t, err, claim.CauseContactEndpoint)
	})
	t.Run("customer without an email address", func(t *testing.T) {
		t.Parallel()
		b := setup(t, server.Switches{RequesterWithoutEmail: server.Rejected}, nil)
		c := b.sample("c-1")
		c.Customer = claim.Customer{Phone: "+4915123456789", FirstName: "Anna"}
		ref := b.accept(c)
		_, err := b.open(ref)
		require.Contains(t, requireParked(t, err, claim.CauseNoEmail), "no email address")
		b.sync(activities.StatusChange{Ref: ref, Event: claim.EventPark, Cause: claim.CauseNoEmail})

		// The claim continues when its owner supplies an address.
		b.patch(ref, `{"customer": {"email": "anna.berg@example.org"}}`)
		require.Equal(t, claim.ActionOpen, b.load(ref).Next())
		b.prepare(ref)
		_, err = b.open(ref)
		require.NoError(t, err)
		require.Len(t, b.conversations(), 1)
	})
	t.Run("other reason", func(t *testing.T) {
		t.Parallel()
		b := setup(t, server.Switches{MaxTextBytes: 10}, nil)
		_, err := b.open(b.accept(b.sample("c-1")))
		requireParked(t, err, claim.CauseRefused)
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		b := setup(t, server.Switches{}, map[string]any{"read_only": true})
		_, err := b.open(b.accept(b.sample("c-1")))
		requireParked(t, err, claim.CauseReadOnly)
		require.Zero(t, b.dixa.Stats().Requests)
	})
	t.Run("shop without a connection", func(t *testing.T) {
		t.Parallel()
		b := setup(t, server.Switches{}, nil)
		_, err := b.store.Shops.Create(t.Context(), store.NewShop{Slug: "bare", Feature: true})
		require.NoError(t, err)
		require.NoError(t, b.store.Shops.SetEnabled(t.Context(), "bare", true))
		c := b.sample("c-1")
		c.Shop = "bare"
		_, err = b.store.Claims.Accept(t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, claim.ActionPark, b.load(claim.Ref{Shop: "bare", ID: "c-1"}).Next())
	})
}

func TestTransientFailureIsRetriedUnderRightKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault server.Fault
		kind  string
	}{
		{"rate limited", server.Fault{Kind: server.FaultStatus, Status: 429, Headers: map[string]string{"Retry-After": "1"}}, claim.ErrorRateLimited},
		{"internal error", server.Fault{Kind: server.FaultStatus, Status: 500}, claim.ErrorAmbiguous},
		{"bad gateway", server.Fault{Kind: server.FaultStatus, Status: 502, Body: "<html>"}, claim.ErrorAmbiguous},
		{"timeout", server.Fault{Kind: server.FaultLate, Delay: server.Duration(10e9)}, claim.ErrorAmbiguous},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{}, nil)
			ref := b.accept(b.sample("c-1"))
			if tt.fault.Kind == server.FaultLate {
				b.timeout(5 * time.Second)
			}
			tt.fault.Operation, tt.fault.Times = "POST /conversations", 1
			b.dixa.Inject(tt.fault)
			_, err := b.open(ref)
			app := failure(t, err)
			require.Equal(t, tt.kind, app.Type(), app.Message())
			require.False(t, app.NonRetryable())
			if tt.kind == claim.ErrorRateLimited {
				require.GreaterOrEqual(t, app.NextRetryDelay().Seconds(), 1.0)
			}
			_, err = b.open(ref)
			require.NoError(t, err)
			require.Len(t, b.conversations(), 1)
		})
	}
}

func TestUncopyableFilesAreSentSeparately(t *testing.T) {
	t.Parallel()
	for _, reading := range readings {
		for _, burns := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s burns=%v", reading, burns), func(t *testing.T) {
				t.Parallel()
				b := setup(t, server.Switches{ExternalID: reading, FailedCreateBurnsExternalID: burns}, nil)
				ref := b.accept(b.sample("c-1"))
				refuse := server.Fault{Kind: server.FaultStatus, Status: 400, Body: `{"message":"Failure to download attachment"}`, Containing: "/b\""}
				create, message := refuse, refuse
				create.Operation, message.Operation = "POST /conversations", "POST /conversations/{conversationId}/messages"
				b.dixa.Inject(create)
				b.dixa.Inject(message)
				made, err := b.open(ref)
				require.NoError(t, err)
				require.Equal(t, 3, made.Attached)
				require.Empty(t, b.conversations()[0].Messages[0].Attachments)

				b.dixa.Inject(server.Fault{Operation: message.Operation, Kind: server.FaultDropAfter, Times: 1})
				_, err = b.complete(steps.SendSeparately, ref)
				require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())
				up, err := b.complete(steps.SendSeparately, ref)
				require.NoError(t, err)
				require.Equal(t, activities.Completed{Attached: 2, LeftOut: 1}, up)
				require.NoError(t, runVoid(b, steps.AddNote, ref))

				c := b.conversations()[0]
				require.Len(t, c.Messages, 3)
				require.Equal(t, "MUG-01-photo-1.jpg", c.Messages[1].Attachments[0].PrettyName)
				require.Equal(t, "signature.jpg", c.Messages[2].Attachments[0].PrettyName)
				require.Len(t, c.Notes, 1)
				require.Contains(t, c.Notes[0].Text, "photo-1.jpg: Dixa could not copy it ("+b.photos.URL+"/b)")
			})
		}
	}
}

func TestUnavailablePhotoIsOmittedAndNoted(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	c := b.sample("c-1")
	c.ImageURLs = append(c.ImageURLs, b.photos.URL+"/gone/x")
	ref := b.accept(c)
	_, err := b.open(ref)
	require.NoError(t, err)
	require.NoError(t, runVoid(b, steps.AddNote, ref))
	note := b.conversations()[0].Notes[0].Text
	require.Contains(t, note, "photo-2: the server returned 404")
	require.True(t, strings.HasSuffix(note, "Claimflow "+ref.Reference()))
}

func TestNoteWithLostResponseIsNotWrittenTwice(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"as-sent", "html", "text"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{NoteFormat: format}, nil)
			ref := b.accept(b.sample("c-1"))
			_, err := b.open(ref)
			require.NoError(t, err)
			b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/notes", Kind: server.FaultDropAfter, Times: 1})
			require.Equal(t, claim.ErrorAmbiguous, failure(t, runVoid(b, steps.AddNote, ref)).Type())
			require.NoError(t, runVoid(b, steps.AddNote, ref))
			require.NoError(t, runVoid(b, steps.AddNote, ref))
			require.Len(t, b.conversations()[0].Notes, 1)
		})
	}
}

func TestStepsAfterTheCreate(t *testing.T) {
	t.Parallel()
	settings := map[string]any{
		"default_agent_id": server.SeedAgentAnna, "extra_tags": []string{"vip"},
		"order_number_attribute": server.SeedAttrOrderNumber, "claim_id_attribute": server.SeedAttrClaimID,
	}
	b := setup(t, server.Switches{}, settings)
	ref := b.accept(b.sample("c-1"))
	_, err := b.open(ref)
	require.NoError(t, err)
	before := b.dixa.Stats().Requests
	for _, step := range []any{steps.ApplyTags, steps.AssignConversation, steps.SetAttributes} {
		require.NoError(t, runVoid(b, step, ref))
		require.NoError(t, runVoid(b, step, ref), "a step must be repeatable")
	}
	require.Equal(t, 3, b.dixa.Stats().Requests-before, "completed steps must not be sent again")
	b.dixa.Settle()
	c := b.conversations()[0]
	require.ElementsMatch(t, []string{"claim", "claim-reason-damaged", "claim-wants-refund", "vip"}, c.TagNames)
	require.Equal(t, server.SeedAgentAnna, c.AssigneeID)
	require.Equal(t, "10001", c.Attributes[server.SeedAttrOrderNumber])
	require.Equal(t, "c-1", c.Attributes[server.SeedAttrClaimID])
}

func TestRejectedRoutingAndAttributesParkWithDistinctCauses(t *testing.T) {
	t.Parallel()
	nobody := "00000000-0000-4000-8000-000000000000"
	b := setup(t, server.Switches{}, map[string]any{"default_agent_id": nobody, "claim_id_attribute": nobody})
	ref := b.accept(b.sample("c-1"))
	_, err := b.open(ref)
	require.NoError(t, err)
	requireParked(t, runVoid(b, steps.AssignConversation, ref), claim.CauseRouting)
	requireParked(t, runVoid(b, steps.SetAttributes, ref), claim.CauseAttributes)

	b = setup(t, server.Switches{}, map[string]any{"default_queue_id": nobody})
	ref = b.accept(b.sample("c-1"))
	_, err = b.open(ref)
	require.NoError(t, err)
	requireParked(t, runVoid(b, steps.AssignConversation, ref), claim.CauseRouting)
}

func TestRoutingRuleReachesDixa(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, map[string]any{
		"default_agent_id": server.SeedAgentAnna,
		"routing": []map[string]any{
			{"name": "returns", "when": map[string]any{"reason": []string{"return"}}, "then": map[string]any{"agent_id": server.SeedAgentBen}},
			{
				"name": "breakage", "when": map[string]any{"reason": []string{"Damaged"}},
				"then": map[string]any{"queue_id": server.SeedQueueClaims, "email_integration_id": server.SeedReturnsMailbox},
			},
		},
	})
	ref := b.accept(b.sample("c-1"))
	_, err := b.open(ref)
	require.NoError(t, err)
	require.NoError(t, runVoid(b, steps.AssignConversation, ref))
	c := b.conversations()[0]
	require.Equal(t, server.SeedReturnsMailbox, c.ContactPoint)
	require.Equal(t, server.SeedQueueClaims, c.QueueID)
	require.Empty(t, c.AssigneeID, "a rule with a queue must override the default agent")
	record, err := b.store.Claims.Record(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, "breakage", record.Route)
}

func TestTransferToQueueKeepsAssignedAgent(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, map[string]any{"default_queue_id": server.SeedQueueClaims})
	ref := b.accept(b.sample("c-1"))
	_, err := b.open(ref)
	require.NoError(t, err)
	require.NoError(t, runVoid(b, steps.AssignConversation, ref))
	require.Equal(t, server.SeedQueueClaims, b.conversations()[0].QueueID)

	b = setup(t, server.Switches{}, map[string]any{"default_agent_id": server.SeedAgentAnna})
	ref = b.accept(b.sample("c-1"))
	made, err := b.open(ref)
	require.NoError(t, err)
	require.NoError(t, b.dixa.Agent(t.Context(), server.Step{Action: server.PlayClaim, Conversation: made.ID, Agent: server.SeedAgentBen}))
	require.NoError(t, runVoid(b, steps.AssignConversation, ref))
	require.Equal(t, server.SeedAgentBen, b.conversations()[0].AssigneeID, "an assigned agent must keep the conversation")
}

func TestAbandonedClaimIsNotOpened(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	require.NoError(t, b.store.Claims.Abandon(t.Context(), ref))
	_, err := b.customer(ref)
	require.Equal(t, claim.ErrorWithdrawn, failure(t, err).Type())
	require.Zero(t, b.dixa.Stats().Requests)
}

func TestBrokenTemplateParks(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	require.NoError(t, b.store.Templates.Put(t.Context(), shop, "damaged", "en", []byte(`{"subject":"{{.Nope}}","body":"x"}`)))
	_, err := b.store.Claims.Accept(t.Context(), b.sample("c-1"))
	require.NoError(t, err)
	ref := claim.Ref{Shop: shop, ID: "c-1"}
	b.load(ref)
	var tickets *activities.Tickets
	_, err = run[activities.ResolveResult](b, tickets.ResolveTemplate, ref)
	require.Contains(t, requireParked(t, err, claim.CauseTemplate), "shop/damaged/en")
}

// Another claim of the same order and customer may mention this one.
func TestSearchIgnoresConversationsOfOtherClaims(t *testing.T) {
	t.Parallel()
	for _, reading := range readings {
		t.Run(reading, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{ExternalID: reading}, nil)
			lost := b.accept(b.sample("c-lost"))
			b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultDropBefore, Times: 1})
			_, err := b.open(lost)
			require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())

			// The other claim's conversation is open but not linked yet, and an
			// agent mentions the lost claim in it.
			other := b.accept(b.sample("c-other"))
			b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultDropAfter, Times: 1})
			_, err = b.open(other)
			require.Error(t, err)
			require.NoError(t, b.dixa.Agent(t.Context(), server.Step{Action: server.PlayReply, Text: "See also " + lost.Reference()}))

			mine, err := b.open(lost)
			require.NoError(t, err)
			theirs, err := b.open(other)
			require.NoError(t, err)
			require.NotEqual(t, mine.ID, theirs.ID)
			require.Len(t, b.conversations(), 2)
		})
	}
}

func TestConcurrentAttemptsCreateOneConversation(t *testing.T) {
	t.Parallel()
	for _, reading := range readings {
		t.Run(reading, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{ExternalID: reading}, nil)
			var concurrent atomic.Bool
			var searches atomic.Int32
			both := make(chan struct{})
			b.asked = func(r *http.Request) {
				if !concurrent.Load() || r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/v1/endusers/") || !strings.HasSuffix(r.URL.Path, "/conversations") {
					return
				}
				if searches.Add(1) == 2 {
					close(both)
				}
				select {
				case <-both:
				case <-r.Context().Done():
				}
			}
			ref := b.accept(b.sample("c-1"))
			_, err := b.customer(ref)
			require.NoError(t, err)
			b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultDropBefore, Times: 1})
			_, err = b.open(ref)
			require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())

			// Both searches find nothing before either create is sent.
			concurrent.Store(true)
			done := make(chan error, 2)
			for range 2 {
				go func() {
					_, err := b.open(ref)
					done <- err
				}()
			}
			for range 2 {
				if err := <-done; err != nil {
					require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())
				}
			}
			require.GreaterOrEqual(t, searches.Load(), int32(2))
			_, err = b.open(ref)
			require.NoError(t, err)
			require.Len(t, b.conversations(), 1)
		})
	}
}

func TestForbiddenParksOnlyOneClaim(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultStatus, Status: 403, Body: "<html>blocked</html>", Times: 1})
	_, err := b.open(b.accept(b.sample("c-1")))
	requireParked(t, err, claim.CauseRefused)
	_, err = b.open(b.accept(b.sample("c-2")))
	require.NoError(t, err)
}

func TestPhotoThatDixaRejectsIsOmitted(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultStatus, Status: 400, Body: `{"message":"Failure to download attachment"}`, Times: 1})
	_, err := b.open(ref)
	require.NoError(t, err)
	b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/messages", Kind: server.FaultStatus, Status: 400, Body: `{"message":"Invalid attachment url in message"}`, Times: 1})
	up, err := b.complete(steps.SendSeparately, ref)
	require.NoError(t, err)
	require.Equal(t, activities.Completed{Attached: 2, LeftOut: 1}, up)
}

func TestErrorsOmitCustomerData(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	b.dixa.Inject(server.Fault{
		Operation: "POST /conversations", Kind: server.FaultStatus, Status: 400,
		Body: `{"message":"Cannot store 'Anna BERG <anna.berg@example.org>': The mug is broken. See https://photos.example/a.jpg?sig=1"}`,
	})
	_, err := b.open(ref)
	words := requireParked(t, err, claim.CauseRefused)
	record, loadErr := b.store.Claims.Record(t.Context(), ref)
	require.NoError(t, loadErr)
	for _, text := range []string{words, record.LastError, err.Error()} {
		for _, personal := range []string{"Anna", "BERG", "example.org", "mug", "broken", "photos.example"} {
			require.NotContains(t, text, personal)
		}
		require.Contains(t, text, "Cannot store")
	}
}

func TestTransferWithLostResponseKeepsAgent(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, map[string]any{"default_queue_id": server.SeedQueueClaims})
	ref := b.accept(b.sample("c-1"))
	made, err := b.open(ref)
	require.NoError(t, err)
	b.dixa.Inject(server.Fault{Operation: "PUT /conversations/{conversationId}/transfer/queue", Kind: server.FaultDropAfter, Times: 1})
	require.Equal(t, claim.ErrorAmbiguous, failure(t, runVoid(b, steps.AssignConversation, ref)).Type())
	require.NoError(t, b.dixa.Agent(t.Context(), server.Step{Action: server.PlayClaim, Conversation: made.ID, Agent: server.SeedAgentBen}))
	require.NoError(t, runVoid(b, steps.AssignConversation, ref))
	require.Equal(t, server.SeedAgentBen, b.conversations()[0].AssigneeID)
}
