package reporting

import (
	"context"

	"github.com/claimflow/claimflow/kpi"
)

type shopKey struct{}

// LimitedTo returns a context in which every figure counts the claims of one shop only,
// whatever other shops use the connection or used it before. An empty shop is no limit.
// Figures of conversations are those of the whole organization: who may not see those must
// not ask for them.
func LimitedTo(ctx context.Context, shop string) context.Context {
	return context.WithValue(ctx, shopKey{}, shop)
}

// figures returns the figures of a connection that the caller may see. Everything that the
// service says about claims comes from them.
func (s *Service) figures(ctx context.Context, connectionID string) kpi.Source {
	return s.Store.Mirror.FiguresFor(connectionID, limitOf(ctx))
}

// limitOf returns the shop to whose claims the context limits figures; empty if to none.
func limitOf(ctx context.Context) string {
	shop, _ := ctx.Value(shopKey{}).(string)
	return shop
}
