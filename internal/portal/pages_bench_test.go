package portal_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// benchClaims is the number of claims of the shop.
const benchClaims = 100_000

// BenchmarkPages measures the time until the first byte of pages of a shop with 100,000
// claims, and the size of the pages. In the same run, it asks the API for the same list
// over the network as a yardstick.
//
//	go test ./internal/portal -run '^$' -bench 'Pages$' -benchtime 100x
func BenchmarkPages(b *testing.B) {
	w := newBench(b)
	w.connect()
	for i := range benchClaims {
		_, err := w.store.Claims.Accept(b.Context(), &claim.Claim{
			ID: fmt.Sprintf("c-%06d", i), Shop: shop, Reason: []string{"damaged", "not_received", "return"}[i%3], Preference: "refund", Phase: "delivered",
			Items: []claim.Item{{SKU: "VASE-1", Title: "Vase", Quantity: 1}}, Customer: claim.Customer{Email: fmt.Sprintf("customer-%d@example.org", i/2), FirstName: "Ada"},
			Order: claim.Order{Number: fmt.Sprint(10_000 + i)}, Shipments: []claim.Shipment{{Carrier: "DHL", TrackingNumber: fmt.Sprint(i)}},
		})
		require.NoError(b, err)
	}
	p := w.enter(client.NewPortalLink{})
	yardstick := func() time.Duration {
		start := time.Now()
		_, err := w.client.ClaimsPage(b.Context(), shop, client.Filter{PageSize: 50}, "")
		require.NoError(b, err)
		return time.Since(start)
	}
	for _, page := range []string{
		"claims", "claims?state=received", "claims?reason=return", "claims?q=110000", "claims?q=customer-7@example.org", "claims/c-000007", "setup", "templates", "endpoints",
	} {
		b.Run(page, func(b *testing.B) {
			w := w.on(b)
			p := &person{w, p.http}
			var took, asked []time.Duration
			size := 0
			for b.Loop() {
				r := p.request(http.MethodGet, "/portal/"+page, nil)
				start := time.Now()
				response, err := p.http.Do(r)
				took = append(took, time.Since(start)) // the headers come with the first byte
				require.NoError(b, err)
				require.Equal(b, http.StatusOK, response.StatusCode)
				text, err := io.ReadAll(response.Body)
				require.NoError(b, err)
				require.NoError(b, response.Body.Close())
				size = len(text)
				asked = append(asked, yardstick())
			}
			require.Less(b, size, 100_000)
			b.ReportMetric(float64(percentile(took, 50).Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(percentile(took, 95).Microseconds())/1000, "p95-ms")
			b.ReportMetric(percentile(took, 50).Seconds()/percentile(asked, 50).Seconds(), "times-the-API")
			b.ReportMetric(float64(size)/1000, "kB")
		})
	}
}

// percentile returns a percentile of durations.
func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
}
