package portal

import (
	"context"
	"sync"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// choicesFor is how long what Dixa has is kept for the forms of a shop. Asking takes many
// requests of the budget that the shop's claims need, and everyone who may read asks by
// loading a page.
const choicesFor = time.Minute

// keptChoices are the choices of shops.
type keptChoices struct {
	mu   sync.Mutex
	kept map[string]keptChoice
}

type keptChoice struct {
	claim.Choices
	until time.Time
}

func (k *keptChoices) get(shop string) (claim.Choices, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, found := k.kept[shop]
	if found && time.Now().After(c.until) {
		delete(k.kept, shop)
		found = false
	}
	return c.Choices, found
}

func (k *keptChoices) keep(shop string, c claim.Choices) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[shop] = keptChoice{c, time.Now().Add(choicesFor)}
}

func (k *keptChoices) forget(shop string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.kept, shop)
}

// choices returns what the settings can name in Dixa. The lists are shared: they must not
// be changed.
func (v *visit) choices(ctx context.Context) (claim.Choices, error) {
	if c, found := v.kept.get(v.session.Shop); found {
		return c, nil
	}
	c, err := v.api.Choices(ctx, v.session.Shop)
	if err == nil {
		v.kept.keep(v.session.Shop, c)
	}
	return c, err
}
