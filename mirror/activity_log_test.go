package mirror_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

func TestActivityFromLog(t *testing.T) {
	t.Parallel()
	for attributes, want := range map[string]mirror.Activity{
		`{"agentId": "a-1", "agentName": "Anna"}`: {AgentID: "a-1", Detail: "Anna"},
		`{"templateName": "thanks"}`:              {Detail: "thanks"},
		`{"claimedFromLabel": "Claims"}`:          {Detail: "Claims"},
		`{"oldUser": {"id": "u-1", "name": "Ada"}, "newUser": {"id": "u-2", "name": "Eva"}}`:                                         {Detail: "Eva"},
		`{"agentNames": ["Anna"], "queueLabel": "Claims"}`:                                                                           {Detail: "Claims", QueueName: "Claims"},
		`{"agent": {"id": "a-1", "name": "Anna"}, "queueId": "q-1", "queueName": "Claims"}`:                                          {AgentID: "a-1", QueueID: "q-1", QueueName: "Claims", Detail: "Claims"},
		`{"transferType": "Queue", "destinationType": "Queue", "destinationId": "q-1", "destinationLabel": "Claims", "reason": "r"}`: {QueueID: "q-1", QueueName: "Claims", Detail: "Claims"},
		`{"transferType": "x", "destinationType": "AGENT", "destinationId": "a-1"}`:                                                  {AgentID: "a-1"},
		`{"transferType": "x", "destinationType": "Number", "destinationId": "+45", "reason": "r"}`:                                  {Detail: "r"},
		`{"agent": {"id": "a-1", "name": "Anna"}}`:                                                                                   {AgentID: "a-1", Detail: "Anna"},
		`{"messageId": "m-1", "fromEndpoint": "x"}`:                                                                                  {MessageID: "m-1"},
		`{"tag": "claim"}`:      {Detail: "claim"},
		`{"tagAdded": "claim"}`: {Detail: "claim"},
		`{"tag": 7, "agent": "a-1", "agentId": {"x": 1}, "messageId": null}`: {},
		`[]`:   {},
		`null`: {},
		``:     {},
	} {
		a, ok := mirror.ActivityFromLog(&dixa.Activity{
			ID: "l-1", ConversationID: 1, At: dixa.NewTime(nine), Type: "X", Author: &dixa.ActivityUser{ID: "a-9", Name: "Zoe"}, Attributes: []byte(attributes),
		})
		require.True(t, ok)
		want.ID, want.ConversationID, want.At, want.Type, want.AuthorID, want.AuthorName = "l-1", 1, nine, "X", "a-9", "Zoe"
		if attributes != "" && attributes != "null" {
			require.JSONEq(t, attributes, string(a.Attributes))
		}
		a.Attributes = nil
		require.Equal(t, want, a, attributes)
	}
	for _, bad := range []dixa.Activity{
		{ConversationID: 1, At: dixa.NewTime(nine)}, {ID: "l-1", At: dixa.NewTime(nine)}, {ID: "l-1", ConversationID: 1}, {ID: "l\x00", ConversationID: 1, At: dixa.NewTime(nine)},
	} {
		_, ok := mirror.ActivityFromLog(&bad)
		require.False(t, ok)
	}
}

func TestFactOfActivity(t *testing.T) {
	t.Parallel()
	base := mirror.Fact{Fact: claim.Fact{Stamp: claim.Stamp{At: nine, ID: "l-1"}}, LoggedAt: nine}
	for name, test := range map[string]struct {
		kind, attributes string
		answer           *mirror.Rating
	}{
		"closed":          {"ConversationClosed", `{}`, nil},
		"offered":         {"ConversationRatingOffered", `{"agent": {"id": "a-1"}, "user": {"id": "u-1"}}`, &mirror.Rating{Status: "Offered", AgentID: "a-1", OfferedAt: nine}},
		"rated":           {"ConversationRated", `{"agent": {"id": "a-1"}, "score": 4, "message": "fine"}`, &mirror.Rating{Status: "Rated", AgentID: "a-1", Score: pointer(4), Comment: "fine", RatedAt: nine}},
		"rated, no score": {"ConversationRated", `{"score": null, "message": "fine"}`, &mirror.Rating{Status: "Rated", Comment: "fine", RatedAt: nine}},
		"rated, nothing":  {"ConversationRated", `{"score": "4"}`, nil},
	} {
		a, ok := mirror.ActivityFromLog(&dixa.Activity{ID: "l-1", ConversationID: 1, At: dixa.NewTime(nine), Type: test.kind, Attributes: []byte(test.attributes)})
		require.True(t, ok)
		want := base
		want.Answer = test.answer
		require.Equal(t, want, a.Fact(), name)
		require.Empty(t, a.Anonymized().Attributes)
	}
}
