package claim_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func TestDifferences(t *testing.T) {
	t.Parallel()
	original := func() *claim.Claim {
		c, err := claim.Decode(fixtures(t)["envelope-full"], "")
		require.NoError(t, err)
		return c
	}
	for name, test := range map[string]struct {
		change func(*claim.Claim)
		want   []string
	}{
		"nothing": {func(*claim.Claim) {}, nil},
		"times and signed URLs": {func(c *claim.Claim) {
			c.CreatedAt, c.UpdatedAt = time.Now(), time.Time{}
			c.SignatureURL = "https://files.example.com/signature.png?sig=2#top"
			c.ImageURLs[0] += "?expires=1"
			c.OptionalImageURLs[0] += "?"
			c.Items[0].ImageURLs[1] += "?a=b&c=d"
			c.Shipments[0].TrackingURL += "#x"
		}, nil},
		"missing and empty lists": {func(c *claim.Claim) { c.Items[1].ImageURLs = []string{}; c.Answers = []claim.Answer{} }, nil},
		"texts": {func(c *claim.Claim) {
			c.Reason, c.Description, c.Customer.Email, c.Order.Address.City = "x", "", "other@example.com", "Bonn"
		}, []string{"customer.email", "description", "order.address.city", "reason"}},
		"different path": {func(c *claim.Claim) { c.SignatureURL = "https://files.example.com/other.png" }, []string{"customer_signature_image_url"}},
		"different host": {func(c *claim.Claim) { c.ImageURLs[0] = "https://evil.example/parcel.jpg" }, []string{"image_urls"}},
		"more":           {func(c *claim.Claim) { c.ImageURLs = append(c.ImageURLs, "https://files.example.com/2.jpg") }, []string{"image_urls"}},
		"in an item":     {func(c *claim.Claim) { c.Items[0].Quantity = 3 }, []string{"selected_items"}},
		"order":          {func(c *claim.Claim) { c.Items[0], c.Items[1] = c.Items[1], c.Items[0] }, []string{"selected_items"}},
		"group removed":  {func(c *claim.Claim) { c.Customer = claim.Customer{} }, []string{"customer.email", "customer.external_id", "customer.first_name", "customer.last_name"}},
		"order date":     {func(c *claim.Claim) { c.Order.PlacedAt = c.Order.PlacedAt.AddDate(0, 0, 1) }, []string{"order.order_placed_at"}},
		"invalid URL":    {func(c *claim.Claim) { c.SignatureURL = "http://[::1" }, []string{"customer_signature_image_url"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := original(), original()
			test.change(b)
			before, err := json.Marshal(b)
			require.NoError(t, err)
			require.Equal(t, test.want, claim.Differences(a, b))
			require.Equal(t, test.want, claim.Differences(b, a), "the order of the arguments must not matter")
			after, err := json.Marshal(b)
			require.NoError(t, err)
			require.Equal(t, string(before), string(after), "comparing must not change the claim")
		})
	}
}
