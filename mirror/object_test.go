package mirror_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

func decoded[T any](t *testing.T, body string) *T {
	t.Helper()
	out := new(T)
	require.NoError(t, json.Unmarshal([]byte(body), out))
	return out
}

func TestConversationFromObject(t *testing.T) {
	t.Parallel()
	c := decoded[dixa.Conversation](t, `{
		"_type": "EmailConversation", "id": 4711, "requesterId": "u-1", "channel": "Email", "createdAt": "2026-03-01T09:00:00Z", "direction": "Inbound",
		"state": "AwaitingPending", "stateUpdatedAt": "2026-03-01T10:00:00Z", "assignment": {"agentId": "a-1", "assignedAt": "2026-03-01T11:00:00Z"},
		"queue": {"id": "q-1", "queuedAt": "2026-03-01T09:00:00Z"}, "fromEmail": "ada@customer.example", "toEmail": "shop@shop.example",
		"integrationEmail": "shop@email.dixa.io", "subject": "Broken", "language": "en",
		"customAttributes": [{"id": "x-1", "name": "Parcel", "identifier": "parcel", "value": "0123"}, {"id": "x-2", "identifier": "none", "value": null}]
	}`)
	ratings := []*dixa.Rating{decoded[dixa.Rating](t, `{"id": "r-1", "ratingScore": 5, "ratingType": "Csat", "ratingComment": "good", "agentId": "a-1",
		"ratingStatus": "Rated", "timestamps": {"created_at": "2026-03-01T11:30:00Z", "modified_at": "2026-03-01T12:00:00Z"}}`)}
	f := mirror.ConversationFromObject(c, []*dixa.Tag{{ID: "t-1", Name: "claim", State: "Inactive"}, {ID: "t-2"}}, ratings, nine.Add(24*time.Hour))
	score := 5
	require.Equal(t, mirror.Fact{
		Fact: claim.Fact{
			Stamp:  claim.Stamp{At: nine.Add(3 * time.Hour), Weight: claim.WeightRefreshed, ID: "read:2026-03-02T09:00:00.000000000Z:object"},
			Status: claim.ConversationPending, People: true, Assignee: &claim.Person{ID: "a-1"}, Queue: &claim.Queue{ID: "q-1"},
			Requester: &claim.Person{ID: "u-1"}, Tags: []string{"claim"}, Rating: &claim.Rating{Score: 5, Comment: "good", At: nine.Add(3 * time.Hour)},
		},
		Origin:  &mirror.Origin{CreatedAt: nine, Channel: "Email", Direction: "inbound", ContactPoint: "shop@email.dixa.io", Subject: "Broken", Language: "en"},
		TagInfo: map[string]mirror.TagInfo{"claim": {ID: "t-1", Deactivated: true}},
		Ratings: []mirror.Rating{{
			ID: "r-1", Type: "Csat", Status: "Rated", Score: &score, Comment: "good", AgentID: "a-1", CreatedAt: nine.Add(150 * time.Minute),
			RatedAt: nine.Add(3 * time.Hour),
		}},
		RatingPeople: true,
		Attributes:   map[string]mirror.Attribute{"x-1": {Identifier: "parcel", Value: json.RawMessage(`"0123"`)}},
	}, f)
}

func TestObjectsOfOtherKinds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body         string
		people       bool
		contactPoint string
		status       claim.ConversationStatus
	}{
		"unassigned":    {`{"id": 1, "state": "Open", "direction": "Inbound", "toNumber": "+45", "fromNumber": "+46"}`, true, "+45", "open"},
		"outbound":      {`{"id": 1, "state": "Closed", "direction": "Outbound", "toNumber": "+45", "fromNumber": "+46"}`, true, "+46", "closed"},
		"generic":       {`{"id": 1, "state": "Open", "toContactPointId": "p-1"}`, true, "p-1", "open"},
		"unknown state": {`{"id": 1, "state": "Frozen"}`, false, "", ""},
		"anonymized":    {`{"_type": "AnonymizedConversation", "id": 1, "state": "Closed", "anonymizedAt": "2026-03-01T09:00:00Z"}`, false, "", "closed"},
	} {
		f := mirror.ConversationFromObject(decoded[dixa.Conversation](t, test.body), nil, nil, nine)
		require.Equal(t, test.people, f.People, name)
		require.Equal(t, test.contactPoint, f.Origin.ContactPoint, name)
		require.Equal(t, test.status, f.Status, name)
		require.Nil(t, f.Tags, name)
		require.Nil(t, f.Ratings, name)
		require.Nil(t, f.Attributes, name)
		require.Nil(t, f.Assignee, name)
	}
}

// Dixa does not say when people or tags changed, so a fact that was read after a known
// one is made newer than it. Names are taken from what is known.
func TestReadAfterKnown(t *testing.T) {
	t.Parallel()
	var known mirror.Conversation
	known.Apply(mirror.Fact{Fact: claim.Fact{
		Stamp: claim.Stamp{At: nine.Add(time.Hour), Weight: claim.WeightTransition, ID: "e-1"}, Status: "open", People: true,
		Assignee: &claim.Person{ID: "a-1", Name: "Anna"}, Queue: &claim.Queue{ID: "q-1", Name: "Claims"}, Tags: []string{"claim"},
	}})
	c := &dixa.Conversation{ID: 1, State: "Open", CreatedAt: dixa.NewTime(nine), Assignment: &dixa.Assignment{AgentID: "a-1"}, Queue: &dixa.ConversationQueue{ID: "q-2"}}
	f := mirror.ConversationFromObject(c, []*dixa.Tag{}, nil, nine.Add(2*time.Hour))
	stale := known
	stale.Apply(f)
	require.Equal(t, []string{"claim"}, stale.Tags)
	for range 2 { // a second answer also replaces the first
		known.Apply(f.ReadAfter(known))
		require.Empty(t, known.Tags)
		require.Equal(t, &claim.Person{ID: "a-1", Name: "Anna"}, known.Assignee)
		require.Equal(t, &claim.Queue{ID: "q-2"}, known.Queue)
	}
	require.Equal(t, nine.Add(time.Hour).Add(time.Microsecond), known.PeopleAt.At)
}

func TestMessageFromList(t *testing.T) {
	t.Parallel()
	at := nine.Add(time.Hour)
	for name, test := range map[string]struct {
		body string
		want mirror.Message
	}{
		"email": {
			`{"id": "m-1", "authorId": "a-1", "externalId": "x", "createdAt": "2026-03-01T09:00:00.000Z[GMT]", "attributes": {"_type": "EmailAttributes",
			"emailContent": {"_type": "Regular", "content": {"_type": "Html", "value": "<p>Hi</p>"}}, "from": {"email": "shop@email.dixa.io"},
			"to": [{"email": "ada@customer.example"}], "cc": [], "bcc": [{"email": "b@x.example"}], "isAutoReply": true, "direction": "Outbound",
			"attachments": [{"url": "https://files.dixa.io/p", "prettyName": "p.jpg"}]}}`,
			mirror.Message{
				Message: claim.Message{
					Direction: "outbound", HTML: "<p>Hi</p>", Automated: true, ExternalID: "x",
					Attachments: []claim.MessageAttachment{{ID: "1", Name: "p.jpg", Source: "https://files.dixa.io/p"}},
				},
				AutomatedKnown: true, From: "shop@email.dixa.io", To: []string{"ada@customer.example"}, BCC: []string{"b@x.example"},
			},
		},
		"chat": {
			`{"id": "m-1", "authorId": "a-1", "createdAt": "2026-03-01T09:00:00Z", "attributes": {"_type": "ChatAttributes", "direction": "Inbound",
			"content": {"_type": "Text", "value": "Hi"}, "isAutomated": false}}`,
			mirror.Message{Message: claim.Message{Direction: "inbound", Text: "Hi"}, AutomatedKnown: true},
		},
		"sms": {
			`{"id": "m-1", "authorId": "a-1", "createdAt": "2026-03-01T09:00:00Z", "attributes": {"_type": "SmsAttributes", "direction": "Inbound",
			"content": {"_type": "Text", "value": "Hi"}}}`,
			mirror.Message{Message: claim.Message{Direction: "inbound", Text: "Hi"}},
		},
		"phone": {
			`{"id": "m-1", "authorId": "a-1", "createdAt": "2026-03-01T09:00:00Z", "attributes": {"_type": "PhoneAttributes", "direction": "Outbound", "from": "+45", "to": 46}}`,
			mirror.Message{Message: claim.Message{Direction: "outbound"}, From: "+45", To: []string{"46"}, BlankAt: at},
		},
		"too large": {
			`{"id": "m-1", "authorId": "a-1", "createdAt": "2026-03-01T09:00:00Z", "attributes": {"_type": "EmailAttributes", "direction": "Inbound",
			"emailContent": {"_type": "TooLarge", "file": {"url": "https://files.dixa.io/large"}}}}`,
			mirror.Message{Message: claim.Message{Direction: "inbound"}},
		},
	} {
		want := test.want
		want.ID, want.Kind, want.Author, want.At, want.Listed = "m-1", claim.MessageKind, &claim.Person{ID: "a-1"}, nine, true
		want.ConversationID, want.Version = 4711, mirror.Version{Source: mirror.FromList, ReadAt: at}
		require.Equal(t, want, mirror.MessageFromList(4711, decoded[dixa.Message](t, test.body), at), name)
	}
	note := mirror.NoteFromList(4711, &dixa.Note{ID: "n-1", AuthorID: "a-1", CreatedAt: dixa.NewTime(nine), Message: "call"}, at)
	require.Equal(t, mirror.Message{
		Message:        claim.Message{ID: "n-1", Kind: claim.NoteKind, Author: &claim.Person{ID: "a-1"}, At: nine, Text: "call", Listed: true},
		ConversationID: 4711, Version: mirror.Version{Source: mirror.FromList, ReadAt: at},
	}, note)
}
