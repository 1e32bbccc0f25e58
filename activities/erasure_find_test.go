package activities_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// A customer is found by a number in any spelling, by the shop's own id, and in records
// that belong to no claim.
func TestEraseFindsTheCustomer(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, map[string]any{"default_country": "DE"})
	ctx := t.Context()
	for id, customer := range map[string]claim.Customer{
		"phone":    {Email: "a@customer.example", Phone: "0151 123 456 78"},
		"external": {Email: "b@customer.example", ExternalID: "cust-100001"},
		"similar":  {Email: "c@customer.example", Phone: "0151 123 456 79", ExternalID: "cust-10000"},
	} {
		c := b.sample(id)
		c.Customer = customer
		_, err := b.store.Claims.Accept(ctx, c)
		require.NoError(t, err)
	}
	claims := func(r claim.ErasureRequest) (ids []string) {
		r.DryRun = true
		e := b.erasing(r)
		e.find()
		found, err := b.store.Erasures.Subjects(ctx, e.ref.ID, store.SubjectClaim, false)
		require.NoError(t, err)
		for _, x := range found {
			ids = append(ids, x.ID)
		}
		return ids
	}
	require.Equal(t, []string{"phone"}, claims(claim.ErasureRequest{Phone: "+49 151 12345678"}))
	require.Equal(t, []string{"external"}, claims(claim.ErasureRequest{ExternalID: "cust-100001"}))
	require.Empty(t, claims(claim.ErasureRequest{Email: "nobody@customer.example"}))

	connections, err := b.store.Sweeps.Connections(ctx)
	require.NoError(t, err)
	connection := connections[0]
	_, err = b.store.DataSources.Create(ctx, connection, claim.DataSource{Title: "all"})
	require.NoError(t, err)
	_, err = b.store.Mirror.Merge(ctx, store.MirrorBatch{ConnectionID: connection, Facts: []store.ConversationFact{
		{ID: 1, Fact: requested("eu-1", "ada@customer.example")}, {ID: 2, Fact: requested("eu-1", "")}, {ID: 3, Fact: requested("eu-2", "ada@customer.example.org")},
	}})
	require.NoError(t, err)
	_, err = b.store.Mirror.SaveDirectory(ctx, connection, mirror.KindEndUser, []mirror.DirectoryEntry{
		{ID: "eu-3", Object: json.RawMessage(`{"id":"eu-3","email":"x@customer.example","additionalEmails":["ADA@customer.example"]}`)},
		{ID: "eu-4", Object: json.RawMessage(`{"id":"eu-4","email":"bada@customer.example"}`)},
	}, time.Now())
	require.NoError(t, err)
	e := b.erasing(claim.ErasureRequest{Email: "ada@customer.example", DryRun: true})
	e.find()
	for kind, want := range map[string][]string{store.SubjectConversation: {"1", "2"}, store.SubjectEndUser: {"eu-1", "eu-3"}} {
		found, err := b.store.Erasures.Subjects(ctx, e.ref.ID, kind, false)
		require.NoError(t, err)
		var ids []string
		for _, x := range found {
			ids = append(ids, x.ID)
		}
		require.Equal(t, want, ids)
	}
}

// requested is a fact about a conversation of an end user.
func requested(user, email string) mirror.Fact {
	created := time.Now().Add(-time.Hour)
	return mirror.Fact{
		Fact:   claim.Fact{Stamp: claim.Stamp{At: created, Weight: claim.WeightRefreshed}, Status: claim.ConversationOpen, People: true, Requester: &claim.Person{ID: user}},
		Origin: &mirror.Origin{CreatedAt: created, Channel: "Email", Subject: "Broken vase", Email: email},
	}
}

// Claims of other shops that share the organization stay, and the report says so.
func TestEraseLeavesOtherShops(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ctx := t.Context()
	mine := b.openedFor("c-1", "ada@customer.example")
	_, err := b.store.Shops.Create(ctx, store.NewShop{Slug: "other", Name: "Other", Feature: true})
	require.NoError(t, err)
	_, err = b.store.Connections.SaveToken(ctx, "other", "demo-token", store.Organization{ID: server.SeedOrganization, Name: "Demo"})
	require.NoError(t, err)
	c := b.sample("c-1")
	c.Shop, c.Customer.Email = "other", "ada@customer.example"
	_, err = b.store.Claims.Accept(ctx, c)
	require.NoError(t, err)
	theirs := claim.Ref{Shop: "other", ID: "c-1"}
	w, err := b.store.Claims.Load(ctx, mine)
	require.NoError(t, err)
	require.NoError(t, b.store.Links.Create(ctx, store.LinkInput{Ref: theirs, ConnectionID: w.ConnectionID, ConversationID: 999, EndUserID: w.EndUserID}))
	e := b.erasing(claim.ErasureRequest{Email: "ada@customer.example"})
	e.find()
	e.stop()
	require.Zero(t, e.anonymize(3).Left)
	done := e.end()
	require.Equal(t, 1, done.Report.Claims)
	require.Contains(t, strings.Join(done.Report.Notes, "\n"), "1 claims of the customer belong to other shops")
	body, err := b.store.Claims.LatestBody(ctx, theirs)
	require.NoError(t, err)
	require.Equal(t, "ada@customer.example", body.Customer.Email)
}
