package activities_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

func TestNewCustomerIsCreatedAndRemembered(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	first, err := b.customer(b.accept(b.sample("c-1")))
	require.NoError(t, err)
	require.Equal(t, 2, b.dixa.Stats().Requests, "a new customer must cost one search and one create: %s", b.requests())

	second, err := b.customer(b.accept(b.sample("c-2")))
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Equal(t, 2, b.dixa.Stats().Requests, "a remembered customer must cost no request: %s", b.requests())

	users := b.dixa.State().EndUsers
	require.Len(t, users, 1)
	require.Equal(t, "Anna Berg", users[0].DisplayName)
	require.Equal(t, "anna.berg@example.org", users[0].Email)
}

func TestExistingCustomerIsFoundAndUnchanged(t *testing.T) {
	t.Parallel()
	for name, switches := range map[string]server.Switches{
		"case-sensitive filter":   {EmailFilter: server.CaseExact, EmailUniqueness: server.CaseExact},
		"case-insensitive filter": {EmailFilter: server.CaseInsensitive},
		"404 for no match":        {NoEndUser: "404", EmailFilter: server.CaseExact},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, switches, nil)
			first, err := b.customer(b.accept(b.sample("c-1")))
			require.NoError(t, err)
			require.NoError(t, b.store.Customers.Forget(t.Context(), b.load(claim.Ref{Shop: shop, ID: "c-1"}).ConnectionID, first.EndUserID))

			c := b.sample("c-2")
			c.Customer = claim.Customer{Email: "Anna.Berg@Example.org", FirstName: "Someone", LastName: "Else"}
			second, err := b.customer(b.accept(c))
			require.NoError(t, err)
			require.Equal(t, first, second)
			users := b.dixa.State().EndUsers
			require.Len(t, users, 1)
			require.Equal(t, "Anna Berg", users[0].DisplayName)
		})
	}
}

func TestCustomerWithoutEmailIsIdentifiedByIDOrPhone(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	byID := b.sample("c-1")
	byID.Customer = claim.Customer{ExternalID: "cust-77", FirstName: "Ola"}
	first, err := b.customer(b.accept(byID))
	require.NoError(t, err)
	byPhone := b.sample("c-2")
	byPhone.Customer = claim.Customer{Phone: "030 1234567"}
	byPhone.Order.Address.CountryCode = "DE"
	second, err := b.customer(b.accept(byPhone))
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	users := b.dixa.State().EndUsers
	require.Equal(t, "cust-77", users[0].ExternalID)
	require.Equal(t, "+49301234567", users[1].PhoneNumber)
}

func TestCustomerWithoutEmailIsSearchedByIDThenPhone(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	known := b.sample("c-1")
	known.Customer = claim.Customer{Phone: "+4930123456", FirstName: "Ola"}
	first, err := b.customer(b.accept(known))
	require.NoError(t, err)
	c := b.sample("c-2")
	c.Customer = claim.Customer{ExternalID: "cust-77", Phone: "+4930123456"}
	second, err := b.customer(b.accept(c))
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Len(t, b.dixa.State().EndUsers, 1)
}

func TestCustomerWithoutContactParks(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	c := b.sample("c-1")
	c.Customer = claim.Customer{FirstName: "Nobody", Phone: "12"}
	_, err := b.customer(b.accept(c))
	require.Contains(t, requireParked(t, err, claim.CauseNoContact), "no email address")
	require.Zero(t, b.dixa.Stats().Requests)
}

func TestAgentAddressParks(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	c := b.sample("c-1")
	c.Customer.Email = server.SeedAgentAnnaEmail
	_, err := b.customer(b.accept(c))
	words := requireParked(t, err, claim.CauseCustomer)
	require.Contains(t, words, "belongs to an agent")
	require.NotContains(t, words, server.SeedAgentAnnaEmail)
}

func TestTakenAddressWithoutMatchParksAfterSecondSearch(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	b.dixa.Inject(server.Fault{
		Operation: "POST /endusers", Kind: server.FaultStatus, Status: 400,
		Body: `{"message":"Create EndUser failed with [errors:EmailExists]"}`,
	})
	ref := b.accept(b.sample("c-1"))
	_, err := b.customer(ref)
	require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type(), "the search must be repeated, because lists may lag")
	_, err = b.customer(ref)
	requireParked(t, err, claim.CauseCustomer)
}

func TestConcurrentClaimsOfNewCustomerCreateOneEndUser(t *testing.T) {
	t.Parallel()
	for _, who := range []claim.Customer{{Email: "anna.berg@example.org"}, {ExternalID: "cust-1"}} {
		b := setup(t, server.Switches{}, nil)
		b.dixa.Inject(server.Fault{Operation: "POST /endusers", Kind: server.FaultDelay, Delay: server.Duration(50e6)})
		var refs []claim.Ref
		for _, id := range []string{"c-1", "c-2", "c-3", "c-4"} {
			c := b.sample(id)
			c.Customer = who
			refs = append(refs, b.accept(c))
		}
		var wg sync.WaitGroup
		for _, ref := range refs {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 1000 {
					_, err := b.customer(ref)
					if err == nil {
						return
					}
					if !strings.Contains(err.Error(), "another claim is looking up the same customer") {
						t.Errorf("%s: %v", ref, err)
						return
					}
				}
				t.Errorf("%s was never processed", ref)
			}()
		}
		wg.Wait()
		require.Len(t, b.dixa.State().EndUsers, 1)
	}
}

func TestUnansweredCustomerCreateIsFound(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{server.FaultDropAfter, server.FaultTruncate, server.FaultGarbage} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{}, nil)
			b.dixa.Inject(server.Fault{Operation: "POST /endusers", Kind: kind, Times: 1})
			ref := b.accept(b.sample("c-1"))
			_, err := b.customer(ref)
			require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())
			found, err := b.customer(ref)
			require.NoError(t, err)
			require.Equal(t, b.dixa.State().EndUsers[0].ID, found.EndUserID)
			require.Len(t, b.dixa.State().EndUsers, 1)
		})
	}
}

func TestDeletedCustomerIsForgotten(t *testing.T) {
	t.Parallel()
	for name, switches := range map[string]server.Switches{"404": {UnknownRequester: "404"}, "400": {UnknownRequester: "400"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, switches, nil)
			ref := b.accept(b.sample("c-1"))
			_, err := b.customer(ref)
			require.NoError(t, err)
			b.dixa.Reset() // as if every end user was deleted in Dixa
			_, err = b.open(ref)
			require.NoError(t, err)
			require.Len(t, b.dixa.State().EndUsers, 1)
			require.Len(t, b.conversations(), 1)
		})
	}
}

func TestRejectedTokenParksOtherClaimsWithoutRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	one, two := b.accept(b.sample("c-1")), b.accept(b.sample("c-2"))
	b.dixa.Revoke("demo-token")
	_, err := b.customer(one)
	require.NotContains(t, requireParked(t, err, claim.CauseConnection), "demo-token")
	asked := b.dixa.Stats().Requests
	_, err = b.customer(two)
	requireParked(t, err, claim.CauseConnection)
	require.Equal(t, asked, b.dixa.Stats().Requests, "the second claim must not call Dixa")
}

func TestRequestsAreCountedPerClaim(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	_, err := b.open(ref)
	require.NoError(t, err)
	require.NoError(t, runVoid(b, steps.ApplyTags, ref))
	record, err := b.store.Claims.Record(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, 4, record.DixaRequests)
	require.Equal(t, 4, b.dixa.Stats().Requests)

	// The same customer submits another claim, with photos and a signature.
	ref = b.accept(b.sample("c-2"))
	made, err := b.open(ref)
	require.NoError(t, err)
	require.Equal(t, 3, made.Attached)
	require.NoError(t, runVoid(b, steps.ApplyTags, ref))
	record, err = b.store.Claims.Record(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, 2, record.DixaRequests)
	require.Equal(t, 6, b.dixa.Stats().Requests)
}

// Family members may share a phone number but not an email address.
func TestCustomerIsCreatedWithoutTakenPhone(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	first := b.sample("c-1")
	first.Customer.Phone = "+4589977790"
	second := b.sample("c-2")
	second.Customer.Email, second.Customer.FirstName, second.Customer.Phone = "bo.berg@example.org", "Bo", first.Customer.Phone
	one, err := b.customer(b.accept(first))
	require.NoError(t, err)
	two, err := b.customer(b.accept(second))
	require.NoError(t, err)
	require.NotEqual(t, one.EndUserID, two.EndUserID)
	phones := map[string]string{}
	for _, u := range b.dixa.State().EndUsers {
		phones[u.Email] = u.PhoneNumber
	}
	require.Equal(t, map[string]string{"anna.berg@example.org": "+4589977790", "bo.berg@example.org": ""}, phones)
}

func TestPossiblyCreatedCustomerIsNotCreatedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{EndUserListLag: server.Duration(300e6)}, map[string]any{"list_lag": "1s"})
	one, two := b.sample("c-1"), b.sample("c-2")
	one.Customer, two.Customer = claim.Customer{ExternalID: "cust-1"}, claim.Customer{ExternalID: "cust-1"}
	first, second := b.accept(one), b.accept(two)
	b.dixa.Inject(server.Fault{Operation: "POST /endusers", Kind: server.FaultDropAfter, Times: 1})
	_, err := b.customer(first)
	require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())
	_, err = b.customer(second)
	require.Equal(t, claim.ErrorBusy, failure(t, err).Type(), "the first claim's create may still appear")
	require.Eventually(t, func() bool { _, err := b.customer(first); return err == nil }, 10*time.Second, 50*time.Millisecond)
	_, err = b.customer(second)
	require.NoError(t, err)
	require.Len(t, b.dixa.State().EndUsers, 1)
}

// A Dixa that never shows the customers that it creates must not be filled with them.
func TestCustomersWhoDisappearAgainParkTheClaim(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	for _, operation := range []string{"POST /conversations", "GET /endusers/{userId}"} {
		b.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultStatus, Status: 404})
	}
	b.dixa.Inject(server.Fault{Operation: "GET /endusers", Kind: server.FaultStatus, Status: 200, Body: `{"data":[]}`})
	for range 8 {
		_, err := b.open(ref)
		require.Error(t, err)
		if failure(t, err).Type() == claim.ErrorPark {
			requireParked(t, err, claim.CauseCustomer)
			require.LessOrEqual(t, len(b.dixa.State().EndUsers), 2)
			return
		}
	}
	t.Fatal("the claim never parks")
}
