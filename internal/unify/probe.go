package unify

import (
	"context"
	"errors"
	"net/http"

	"github.com/claimflow/claimflow/unified"
)

// Probe asks Dixa for one object of each resource, and returns why it refuses those that
// the account's token may not read, by [unified.Resource.Path]. It takes about 20 requests
// of the token's budget. The error is that of Dixa if it cannot answer now.
func (s *Service) Probe(ctx context.Context, account string) (map[string]string, error) {
	refused := map[string]string{}
	for _, r := range unified.Resources() {
		m, ok := r.Method(unified.MethodList)
		if !ok || m.Support == unified.Unsupported || len(m.Filters().Required) > 0 {
			continue
		}
		_, err := s.List(ctx, account, r.Model, r.Name, "live=true&limit=1")
		var e *unified.Error
		switch {
		case err == nil:
		case errors.As(err, &e) && (e.StatusCode == http.StatusForbidden || e.StatusCode == http.StatusUnauthorized):
			refused[r.Path()] = "Dixa does not let the account's token read it"
		default:
			return nil, err
		}
	}
	// Messages and files are those of tickets.
	if why := refused["ticketing/tickets"]; why != "" {
		refused["ticketing/comments"], refused["ticketing/attachments"] = why, why
	}
	return refused, nil
}
