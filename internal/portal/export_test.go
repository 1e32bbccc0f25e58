package portal

import "github.com/claimflow/claimflow/claim"

// Routes calls f for every route of a page: what it needs besides the page is empty if it
// only reads.
func (p *Portal) Routes(f func(page claim.PortalPage, pattern string, needs claim.PortalCapability)) {
	for _, r := range p.pages {
		f(r.page, r.pattern, r.needs)
	}
}
