package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
)

// service starts Claimflow with the shop "acme" and an emulated Dixa that accepts the
// token "demo-token". A real program needs only client.New.
func service() (c *client.Client, stop func()) {
	ctx := context.Background()
	text, err := seal.Generate()
	must(err)
	keys, err := seal.Parse(text)
	must(err)
	s, err := store.Open(ctx, "sqlite::memory:", keys)
	must(err)
	dixa := emulator.New(emulator.Options{})
	dixaServer := httptest.NewServer(dixa)
	server := httptest.NewUnstartedServer(nil)
	clients := connection.New(s, connection.Options{BaseURL: dixaServer.URL + "/v1/"})
	handler, err := api.New(api.Options{
		Store: s, Log: slog.New(slog.DiscardHandler),
		Onboarding: onboarding.New(onboarding.Options{Store: s, Dixa: clients, PublicURL: "http://" + server.Listener.Addr().String()}),
		Unified:    &unify.Service{Store: s, Clients: clients},
		Proxy:      proxy.New(proxy.Options{Clients: clients}),
	})
	must(err)
	server.Config.Handler = handler
	server.Start()
	_, secret, err := s.APIKeys.Create(ctx, claim.NewKey{Name: "example", Scopes: []string{client.ScopeAdmin}})
	must(err)
	c, err = client.New(server.URL, secret)
	must(err)
	_, err = c.AddShop(ctx, client.NewShop{Slug: "acme", Name: "Acme"})
	must(err)
	return c, func() {
		server.Close()
		dixaServer.Close()
		dixa.Close()
		must(s.Close())
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func exampleClaim() *claim.Claim {
	return &claim.Claim{
		ID: "c-10001", Shop: "acme", Reason: "damaged", Preference: "refund",
		Description: "The vase arrived in pieces.",
		Items:       []claim.Item{{SKU: "VASE-1", Title: "Vase", Quantity: 1, ImageURLs: []string{"https://cdn.example/vase.jpg"}}},
		Customer:    claim.Customer{Email: "ada@example.org", FirstName: "Ada"},
		Order:       claim.Order{Number: "10001"},
	}
}

func ExampleClient_Submit() {
	c, stop := service()
	defer stop()
	ctx := context.Background()

	first, err := c.Submit(ctx, exampleClaim())
	must(err)
	fmt.Println(first.New, first.Claim.State)

	// Submitting it again, for example after a crash, does not create a second claim.
	again, err := c.Submit(ctx, exampleClaim())
	must(err)
	fmt.Println(again.New, again.Claim.WorkflowID)
	// Output:
	// true received
	// false claim:acme:c-10001
}

func ExampleError() {
	c, stop := service()
	defer stop()

	_, err := c.SubmitBody(context.Background(), "acme", json.RawMessage(`{"claim_id": "c-1", "customer": {"email": "nobody"}}`))
	var refused *client.Error
	if errors.As(err, &refused) && refused.Code == client.CodeInvalid {
		for _, fault := range refused.Errors {
			fmt.Println(fault.Field, fault.Message)
		}
	}
	// Output:
	// reason is required
	// customer.email must be an email address
}

func ExampleClient_Claims() {
	c, stop := service()
	defer stop()
	ctx := context.Background()
	_, err := c.Submit(ctx, exampleClaim())
	must(err)

	for record, err := range c.Claims(ctx, "acme", client.Filter{OrderNumber: "10001"}) {
		must(err)
		fmt.Println(record.ID, record.State, record.Reason)
	}
	// Output: c-10001 received damaged
}

func ExampleClient_Connect() {
	c, stop := service()
	defer stop()
	ctx := context.Background()

	connection, err := c.Connect(ctx, "acme", "demo-token")
	must(err)
	fmt.Println(connection.State, connection.OrganizationName)
	_, err = c.UpdateSettings(ctx, "acme", json.RawMessage(`{"email_integration_id": "support@demo.email.dixa.io"}`))
	must(err)
	shop, err := c.Enable(ctx, "acme")
	must(err)
	fmt.Println("enabled:", shop.Enabled)
	// Output:
	// active Demo Shop
	// enabled: true
}
