package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// A number in national format is parsed with the country of the claim's address, or the
// shop's country if the address has none.
func TestNationalPhoneNumber(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		phone    string
		address  claim.Address
		settings string
		want     string
		says     string
	}{
		"country of the address":         {phone: "0151 23456789", address: claim.Address{CountryCode: "DE"}, want: "+4915123456789"},
		"address before default_country": {phone: "0664 1234567", address: claim.Address{CountryCode: "AT"}, settings: "DE", want: "+436641234567"},
		"two-letter country":             {phone: "0151 23456789", address: claim.Address{Country: "de"}, want: "+4915123456789"},
		"default_country":                {phone: "0151 23456789", settings: "DE", want: "+4915123456789"},
		"invalid country":                {phone: "0151 23456789", address: claim.Address{CountryCode: "XX", Country: "Germany"}, settings: "DE", want: "+4915123456789"},
		"international form":             {phone: "+49 151 23456789", want: "+4915123456789"},
		"no country":                     {phone: "0151 23456789", says: "(12 digits, ends in 89)"},
		"invalid in the country":         {phone: "12345", settings: "DE", address: claim.Address{CountryCode: "US"}, says: "(5 digits, ends in 45)"},
		"no digits":                      {phone: "call me", settings: "DE", says: "(no digits)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{PhoneFormat: "e164"}, map[string]any{"default_country": tt.settings})
			c := b.sample("c-1")
			c.Customer = claim.Customer{Phone: tt.phone, FirstName: "Anna"}
			c.Order.Address = tt.address
			ref := b.accept(c)
			_, err := b.customer(ref)
			if tt.says != "" {
				message := requireParked(t, err, claim.CauseNoContact)
				require.Contains(t, message, tt.says)
				require.Contains(t, message, "default_country")
				require.NotContains(t, message, tt.phone)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, b.dixa.State().EndUsers[0].PhoneNumber)
		})
	}
}

// The country is fixed when the ticket is rendered, so settings saved later do not
// change the customer's identity.
func TestCountryOfPhoneNumberIsDecidedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, map[string]any{"default_country": "DE"})
	c := b.sample("c-1")
	c.Customer = claim.Customer{Phone: "0151 23456789"}
	ref := b.accept(c)
	b.save(map[string]any{"email_integration_id": server.SeedMailbox, "default_country": "AT"})
	_, err := b.customer(ref)
	require.NoError(t, err)
	require.Equal(t, "+4915123456789", b.dixa.State().EndUsers[0].PhoneNumber)
}

func TestDefaultCountryIsChecked(t *testing.T) {
	t.Parallel()
	for value, fault := range map[string]bool{`"DE"`: false, `""`: false, `"Germany"`: true, `"XX"`: true} {
		_, err := claim.Resolve([]byte(`{"default_country": ` + value + `}`))
		require.Equal(t, fault, err != nil, value)
	}
}
