package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
)

func TestTemplatesInheritAndPreview(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	b.shop("acme")

	built, err := b.client.Template(ctx, "acme", "damaged", "de")
	require.NoError(t, err)
	require.Equal(t, "built-in", built.Scope)
	require.NotEmpty(t, built.Source.Body)

	_, err = b.client.SetTemplate(ctx, "", "damaged", "de", client.TemplateSource{Subject: "Plattform", Body: "Platform {{.Order.Number}}", Format: "text"})
	require.NoError(t, err)
	inherited, err := b.client.Template(ctx, "acme", "Damaged", "de")
	require.NoError(t, err)
	require.Equal(t, "platform", inherited.Scope)
	saved, err := b.client.SetTemplate(ctx, "acme", "damaged", "de", client.TemplateSource{Subject: "Bruch {{.Order.Number}}"})
	require.NoError(t, err)
	require.Equal(t, "shop", saved.Scope)
	require.Equal(t, "damaged", saved.Key)

	ticket, err := b.client.PreviewTemplate(ctx, "acme", "damaged", "de", client.PreviewRequest{})
	require.NoError(t, err)
	require.Equal(t, "shop/damaged/de", ticket.Template)
	require.Contains(t, ticket.Subject, "Bruch")
	require.Contains(t, ticket.Body, "Platform", "omitted members must come from the platform")
	require.Contains(t, ticket.Tags, "claim")

	body, err := json.Marshal(aClaim("c-1"))
	require.NoError(t, err)
	ticket, err = b.client.PreviewTemplate(ctx, "acme", "damaged", "en", client.PreviewRequest{
		Template: &client.TemplateSource{Subject: "Unsaved", Body: "About {{.Order.Number}} for {{.Customer.FirstName}}", Format: "text"},
		Claim:    body,
	})
	require.NoError(t, err)
	require.Equal(t, "Unsaved", ticket.Subject)
	require.Contains(t, ticket.Body, "About 10001 for Ada")

	list, err := b.client.Templates(ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, "shop", list[0].Scope, "the shop's templates must come first")
	require.Equal(t, "platform", list[1].Scope)
	require.Equal(t, "built-in", list[len(list)-1].Scope)

	layers, err := b.client.Template(ctx, "acme", "damaged", "de")
	require.NoError(t, err)
	require.Equal(t, client.TemplateSource{Subject: "Bruch {{.Order.Number}}"}, *layers.Own)
	require.Equal(t, "platform/damaged/de", layers.InheritedFrom)
	require.Equal(t, "Plattform", layers.Inherited.Subject)
	require.Nil(t, inherited.Own)

	require.NoError(t, b.client.DeleteTemplate(ctx, "acme", "damaged", "de"))
	inherited, err = b.client.Template(ctx, "acme", "damaged", "de")
	require.NoError(t, err)
	require.Equal(t, "platform", inherited.Scope)
	_ = refusal(t, b.client.DeleteTemplate(ctx, "acme", "damaged", "de"), http.StatusNotFound, client.CodeNotFound)
	require.Zero(t, dixaRequests(b), "templates must not send requests to Dixa")
}

func TestBrokenTemplateIsNotSaved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	_, err := b.client.SetTemplate(t.Context(), "acme", "damaged", "de", client.TemplateSource{Body: "fine\n{{.Nobody.Knows}}"})
	e := refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
	require.Equal(t, "body", e.Errors[0].Field)
	require.Contains(t, e.Errors[0].Message, "line 2")

	p := b.send("PUT", "/v1/shops/acme/templates/damaged?language=de", b.secret, `{"bodi": "x"}`).problem(t)
	require.Equal(t, []string{"bodi"}, fields(p))
	p = b.send("PUT", "/v1/shops/acme/templates/damaged?language=!!", b.secret, `{"body": "x"}`).problem(t)
	require.Equal(t, []string{"language"}, fields(p))
	_, err = b.client.Templates(t.Context(), "nobody")
	_ = refusal(t, err, 404, client.CodeNotFound)
	template, err := b.client.Template(t.Context(), "acme", "damaged", "de")
	require.NoError(t, err)
	require.Equal(t, "built-in", template.Scope, "nothing may be saved")
}

func TestTemplatePreviewOnClaimsOfTheShop(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	b.shop("acme")
	b.shop("other")
	_, err := b.client.Submit(ctx, aClaim("c-1"))
	require.NoError(t, err)
	preview := func(c *client.Client, shop string, r client.PreviewRequest) (client.Ticket, error) {
		r.Template = &client.TemplateSource{Body: "{{.Order.Number}} {{.Customer.FirstName}}", Format: "text"}
		return c.PreviewTemplate(ctx, shop, "damaged", "en", r)
	}
	ticket, err := preview(b.client, "acme", client.PreviewRequest{ClaimID: "c-1"})
	require.NoError(t, err)
	require.Contains(t, ticket.Body, "10001 Ada")
	require.Equal(t, []string{"item", "claim", "optional", "signature"}, ticket.Evidence)
	ticket, err = preview(b.client, "acme", client.PreviewRequest{Sample: "sample-german"})
	require.NoError(t, err)
	require.Contains(t, ticket.Body, "10002 Toni")

	_, err = preview(b.client, "other", client.PreviewRequest{ClaimID: "c-1"})
	_ = refusal(t, err, 404, client.CodeNotFound)
	_, err = preview(b.client, "acme", client.PreviewRequest{Sample: "c-1"})
	_ = refusal(t, err, 422, client.CodeInvalid)
	reader, err := client.New(b.url, b.key("acme", client.ScopeShopsRead), client.WithRetries(0, 0))
	require.NoError(t, err)
	_, err = preview(reader, "acme", client.PreviewRequest{ClaimID: "c-1"})
	_ = refusal(t, err, 403, client.CodeForbidden)
	_, err = preview(reader, "acme", client.PreviewRequest{})
	require.NoError(t, err)
}
