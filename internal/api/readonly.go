package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/claimflow/claimflow/client"
)

// writable returns a 405 problem if the shop's settings are read-only, so that a
// request that would write to its Dixa fails before any call to Dixa. allow lists
// the methods that the address still supports, as RFC 9110, section 15.5.6 requires.
// An unknown shop is not found.
func (a *api) writable(ctx context.Context, shop string, allow ...string) error {
	in, err := a.Store.Settings.Integration(ctx, shop)
	if err != nil || !in.Effective.ReadOnly {
		return err
	}
	p := newProblem(http.StatusMethodNotAllowed, client.CodeReadOnly, fmt.Sprintf("The shop's settings are read-only, so Claimflow does not write to its Dixa. "+
		"`starter shop settings %s read_only=false` allows writes. `starter shop validate %[1]s` runs the checks that only read.", shop))
	p.header = http.Header{"Allow": {strings.Join(allow, ", ")}}
	return p
}
