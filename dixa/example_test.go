package dixa_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/claimflow/claimflow/dixa"
)

// standIn answers like Dixa, so that the examples run anywhere.
func standIn(routes map[string]string) *httptest.Server {
	mux := http.NewServeMux()
	for pattern, reply := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, reply) })
	}
	return httptest.NewServer(mux)
}

func Example() {
	server := standIn(map[string]string{
		"GET /v1/endusers":                     `{"data":[]}`,
		"POST /v1/endusers":                    `{"data":{"id":"9c2a2cce-699f-4a72-89d9-fda5bc8dec8b"}}`,
		"POST /v1/conversations":               `{"data":{"id":100}}`,
		"POST /v1/conversations/100/tags/bulk": ``,
	})
	defer server.Close()
	ctx := context.Background()

	client, err := dixa.New("the-token-of-the-organization", dixa.WithBaseURL(server.URL+"/v1/"))
	if err != nil {
		panic(err)
	}

	var customer *dixa.EndUser
	for found, err := range client.EndUsers.List(ctx, dixa.EndUserFilter{Email: "kim@example.org"}) {
		if err != nil {
			panic(err)
		}
		customer = found
		break
	}
	if customer == nil {
		customer, err = client.EndUsers.Create(ctx, dixa.EndUserInput{DisplayName: "Kim", Email: "kim@example.org"})
		if err != nil {
			panic(err)
		}
	}

	id, err := client.Conversations.Create(ctx, dixa.NewConversation{
		Type:               dixa.NewEmail,
		RequesterID:        customer.ID,
		EmailIntegrationID: "shop@email.dixa.io",
		Subject:            "Order 10001",
		Message: dixa.MessageInput{
			Type:        dixa.Inbound,
			Content:     dixa.TextContent("The lamp came broken."),
			Attachments: []dixa.Attachment{{URL: "https://files.example.org/lamp.jpg", PrettyName: "lamp.jpg"}},
			ExternalID:  "shop-1/claim-7/open",
		},
	})
	if err != nil {
		panic(err)
	}
	if err := client.Conversations.AddTags(ctx, id, "claim", "claim-reason-defective"); err != nil {
		panic(err)
	}
	fmt.Println("opened conversation", id)
	// Output: opened conversation 100
}

// An error says whether to check Dixa before retrying a request.
func ExampleOutcomeOf() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer server.Close()
	client, err := dixa.New("token", dixa.WithBaseURL(server.URL))
	if err != nil {
		panic(err)
	}

	_, err = client.Conversations.AddNote(context.Background(), 100, dixa.NoteInput{Message: "Refund approved. claim-7"})
	switch dixa.OutcomeOf(err) {
	case dixa.Unsent:
		fmt.Println("retry")
	case dixa.Rejected:
		fmt.Println("no effect:", err)
	case dixa.Ambiguous:
		fmt.Println("check the notes before retrying")
	}
	// Output: check the notes before retrying
}

// Predicates distinguish the refusals that a caller handles.
func ExampleIsEmailExists() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"message":"Create EndUser failed with [errors:EmailExists]"}`)
	}))
	defer server.Close()
	client, err := dixa.New("token", dixa.WithBaseURL(server.URL))
	if err != nil {
		panic(err)
	}

	_, err = client.EndUsers.Create(context.Background(), dixa.EndUserInput{Email: "kim@example.org"})
	if dixa.IsEmailExists(err) {
		fmt.Println("the customer already exists: find it by email address")
	}
	fmt.Println(err)
	// Output:
	// the customer already exists: find it by email address
	// dixa: EndUsers.Create (POST /endusers): status 400: "Create EndUser failed with [errors:EmailExists]"; the request had no effect: an identical request will fail again
}

// oneRequest is a budget of one request an hour.
type oneRequest struct{ taken bool }

func (b *oneRequest) Take(context.Context) error {
	if b.taken {
		return &dixa.BudgetExceededError{RetryAfter: time.Hour}
	}
	b.taken = true
	return nil
}

// All clients of a token share one budget. A request that the budget rejects was
// never sent.
func ExampleWithBudget() {
	server := standIn(map[string]string{"GET /v1/organization": `{"data":{"id":"org-1","name":"Shop"}}`})
	defer server.Close()
	client, err := dixa.New("token", dixa.WithBaseURL(server.URL+"/v1/"), dixa.WithBudget(&oneRequest{}))
	if err != nil {
		panic(err)
	}

	org, err := client.Organization.Get(context.Background())
	fmt.Println(org.Name, err)

	_, err = client.Organization.Get(context.Background())
	var exceeded *dixa.BudgetExceededError
	fmt.Println(errors.As(err, &exceeded), dixa.OutcomeOf(err))
	// Output:
	// Shop <nil>
	// true unsent
}

// A search yields IDs; the conversations are fetched one by one.
func ExampleConversationsService_Search() {
	server := standIn(map[string]string{
		"POST /v1/search/conversations": `{"data":[{"id":100,"highlights":{}},{"id":101,"highlights":{}}]}`,
	})
	defer server.Close()
	client, err := dixa.New("token", dixa.WithBaseURL(server.URL+"/v1/"), dixa.WithReadOnly())
	if err != nil {
		panic(err)
	}

	query := dixa.SearchQuery{
		Text: "10001",
		Conditions: []dixa.SearchCondition{
			{Field: "Status", Operator: dixa.IsOneOf("open", "pending")},
			{Field: "CreationDate", Operator: dixa.Since(dixa.NewTime(time.Now().AddDate(0, 0, -7)))},
		},
	}
	for hit, err := range client.Conversations.Search(context.Background(), query) {
		if err != nil {
			panic(err)
		}
		fmt.Println(hit.ID)
	}
	// Output:
	// 100
	// 101
}

// Operations without a method of their own take two steps.
func ExampleClient_Do() {
	server := standIn(map[string]string{"GET /v1/templates": `{"data":[{"id":"t-1"}]}`})
	defer server.Close()
	client, err := dixa.New("token", dixa.WithBaseURL(server.URL+"/v1/"))
	if err != nil {
		panic(err)
	}

	op := dixa.Operation{Name: "Templates.List", Method: http.MethodGet, Path: "/templates"}
	req, err := client.NewRequest(context.Background(), op, dixa.Params{})
	if err != nil {
		panic(err)
	}
	var reply struct {
		Data []struct{ ID string }
	}
	if _, err := client.Do(req, &reply); err != nil {
		panic(err)
	}
	fmt.Println(reply.Data[0].ID)
	// Output: t-1
}

// A receiver verifies the raw bytes, then parses them.
func ExampleVerifySignature() {
	// The old and the new secret, during a rotation.
	secrets := []dixa.Secret{"0f1e2d3c4b5a69788796a5b4c3d2e1f0", "00112233445566778899aabbccddeeff"}
	header := "t=1748264463123,v1=8aac5c658539153c77a44cd2de929183cb25a953cf65f570f3867fb813522ccc"
	body := []byte(`{"event_id":"e-1","event_fqn":"CONVERSATION_CLOSED","data":{"conversation":{"csid":100}}}`)
	now := time.UnixMilli(1748264500000)

	fmt.Println(dixa.VerifySignature(header, body, secrets, now, dixa.DefaultSignatureTolerance))

	err := dixa.VerifySignature(header, append(body, ' '), secrets, now, dixa.DefaultSignatureTolerance)
	fmt.Println(errors.Is(err, dixa.ErrSignatureMismatch))
	// Output:
	// <nil>
	// true
}

// Events are distinguished by name. Events without a type of their own still carry
// their conversation.
func ExampleParseEvent() {
	for _, body := range []string{
		`{"event_id":"e-1","event_fqn":"CONVERSATION_TAG_ADDED","event_timestamp":"2026-05-04T09:08:07.600Z",
			"organization":{"id":"org-1","name":"Shop"},
			"data":{"conversation":{"csid":100,"status":"OPEN","tags":[]},"author":{"id":"a-1","name":null},"tag":"claim-accepted"}}`,
		`{"event_id":"e-2","event_fqn":"CONVERSATION_CLOSED","data":{"conversation":{"csid":100,"status":"CLOSED"}}}`,
		`{"event_id":"e-3","event_fqn":"CONVERSATION_DREAMT","data":{"conversation":{"csid":100,"status":"OPEN"}}}`,
	} {
		event, err := dixa.ParseEvent([]byte(body))
		if err != nil {
			panic(err)
		}
		conversation, ok := event.Conversation()
		if !ok {
			continue
		}
		switch event.Name {
		case dixa.EventConversationTagAdded:
			if data, ok := event.TagAdded(); ok {
				fmt.Println(conversation.ID, "tagged", data.Tag)
			}
		case dixa.EventConversationClosed:
			fmt.Println(conversation.ID, "closed", conversation.State == dixa.StateClosed)
		default:
			fmt.Println(conversation.ID, "unknown", event.FQN)
		}
	}
	// Output:
	// 100 tagged claim-accepted
	// 100 closed true
	// 100 unknown CONVERSATION_DREAMT
}
