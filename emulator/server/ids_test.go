package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

func encode(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	return string(encoded)
}

// Ids mean the same in upper case as in lower case, wherever a request names them.
func TestIDsInUpperCase(t *testing.T) {
	t.Parallel()
	upper := strings.ToUpper
	anna := upper(server.SeedAgentAnna)
	members := func(id string) object { return object{"agentIds": []string{id}} }
	for name, act := range map[string]func(d *dixa, user string){
		"team members": func(d *dixa, _ string) {
			d.do(http.MethodPatch, "/teams/"+upper(server.SeedTeamCare)+"/agents", members(anna), http.StatusOK)
			require.Len(d.t, d.State().Teams[0].Members, 2, "she is a member already")
			d.do(http.MethodDelete, "/teams/"+server.SeedTeamCare+"/agents", members(anna), http.StatusNoContent)
			require.Equal(d.t, []string{server.SeedAgentBen}, d.State().Teams[0].Members)
		},
		"queue members": func(d *dixa, _ string) {
			d.do(http.MethodPatch, "/queues/"+upper(server.SeedQueueSupport)+"/members", members(anna), http.StatusOK)
			require.Len(d.t, d.State().Queues[0].Members, 2, "she is a member already")
			d.do(http.MethodDelete, "/queues/"+server.SeedQueueSupport+"/members", members(anna), http.StatusNoContent)
			require.Equal(d.t, []string{server.SeedAgentBen}, d.State().Queues[0].Members)
		},
		"bulk update of agents": func(d *dixa, _ string) {
			got := d.do(http.MethodPatch, "/agents", []object{{"id": anna, "firstName": "Anna"}}, http.StatusOK)
			require.Contains(d.t, string(got.body), "BulkActionSuccess")
		},
		"bulk update of end users": func(d *dixa, user string) {
			got := d.do(http.MethodPatch, "/endusers", object{"data": []object{{"id": upper(user), "firstName": "Eva"}}}, http.StatusOK)
			require.Contains(d.t, string(got.body), "BulkActionSuccess")
		},
		"queue of a new conversation": func(d *dixa, user string) {
			d.do(http.MethodPost, "/conversations", object{
				"_type": "Callback", "requesterId": upper(user), "contactEndpointId": server.SeedPhone, "direction": "Inbound",
				"queueId": upper(server.SeedQueueClaims),
			}, http.StatusCreated)
			require.Equal(d.t, server.SeedQueueClaims, d.State().Conversations[0].QueueID)
		},
		"acting agents": func(d *dixa, user string) {
			d.open(user)
			d.do(http.MethodPut, "/conversations/1001/claim", object{"agentId": anna}, http.StatusNoContent)
			d.do(http.MethodPost, "/conversations/1001/notes", object{"agentId": anna, "message": "n"}, http.StatusOK)
			d.do(http.MethodPut, "/conversations/1001/transfer/queue", object{"queueId": upper(server.SeedQueueClaims), "userId": anna}, http.StatusNoContent)
			conversation := d.State().Conversations[0]
			require.Equal(d.t, server.SeedQueueClaims, conversation.QueueID)
			require.Equal(d.t, server.SeedAgentAnna, conversation.Notes[0].AuthorID)
		},
		"offered rating": func(d *dixa, user string) {
			d.open(user)
			d.do(http.MethodPost, "/conversations/1001/ratings/offer",
				object{"userId": upper(user), "agentId": anna, "ratingType": "Csat"}, http.StatusCreated)
			rating := d.State().Conversations[0].Ratings[0]
			require.Equal(d.t, []string{user, server.SeedAgentAnna}, []string{rating.UserID, rating.AgentID})
		},
		"anonymization": func(d *dixa, user string) {
			d.do(http.MethodPost, "/anonymization", object{"entityId": upper(user), "_type": "User"}, http.StatusOK)
			require.Equal(d.t, user, d.State().Anonymizations[0].TargetID)
		},
		"search": func(d *dixa, user string) {
			d.open(user)
			got := d.do(http.MethodPost, "/search/conversations", object{"filters": object{"strategy": "All", "conditions": []object{
				{"field": object{"_type": "ContactId", "operator": object{"_type": "IsOneOf", "values": []string{upper(user)}}}},
			}}}, http.StatusOK)
			require.Contains(d.t, string(got.body), "1001")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{})
			act(d, d.customer("eva@example.org"))
		})
	}
}
