package portal

import (
	"net/url"

	"github.com/claimflow/claimflow/claim"
)

// Limits of what a page shows of a claim's content, so that no claim makes it too large.
const (
	maxDescription = 5000
	maxAnswer      = 500
	maxItems       = 30
	maxAnswers     = 20
	maxParcels     = 10
	maxFiles       = 40
	maxFileBytes   = 16 << 10
)

// content is what the page of a claim shows of what its owner reported.
type content struct {
	claim.Claim
	// The lists are cut to what the page shows. More are the numbers of what is left
	// out.
	MoreItems, MoreAnswers, MoreParcels, MoreFiles int
	Files                                          []evidence
}

// evidence is a photo or another file that the customer gave with the claim. It is kept
// by the claim's owner.
type evidence struct {
	// URL is empty if the address is not one that a browser may open.
	URL, Host string
}

func contentOf(c *claim.Claim) content {
	out := content{Claim: *c}
	out.Description = shortened(c.Description, maxDescription)
	out.Items, out.MoreItems = atMost(c.Items, maxItems)
	out.Answers, out.MoreAnswers = atMost(c.Answers, maxAnswers)
	out.Shipments, out.MoreParcels = atMost(c.Shipments, maxParcels)
	for i := range out.Answers {
		out.Answers[i].Question = shortened(out.Answers[i].Question, maxAnswer)
		out.Answers[i].Answer = shortened(out.Answers[i].Answer, maxAnswer)
	}
	for i := range out.Shipments {
		out.Shipments[i].TrackingURL = webAddress(out.Shipments[i].TrackingURL)
	}
	bytes := 0
	for _, address := range c.EvidenceURLs() {
		bytes += len(address)
		if len(out.Files) == maxFiles || bytes > maxFileBytes {
			out.MoreFiles++
			continue
		}
		file := evidence{URL: webAddress(address)}
		if u, err := url.Parse(file.URL); err == nil {
			file.Host = u.Hostname()
		}
		out.Files = append(out.Files, file)
	}
	return out
}

// webAddress returns an address that a customer gave if it is one of the web, else "".
func webAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.String()
}

// atMost returns a copy of the first n of a list, and the number of the others.
func atMost[T any](list []T, n int) ([]T, int) {
	n = min(n, len(list))
	return append([]T(nil), list[:n]...), len(list) - n
}
