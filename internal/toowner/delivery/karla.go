package delivery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/toowner/karla"
	"github.com/claimflow/claimflow/store"
)

// The notes of events that are not sent to Karla.
const (
	nothingToTell = "skipped: the event has no status that is new to the owner"
	ownersWord    = "skipped: the owner has set another status since"
)

// karlaSender sends the status of claims to Karla. An event may have waited for
// days, so it does not overwrite a status that the owner has set since.
type karlaSender struct {
	*webhookSender
	store *store.Store
}

func (s *karlaSender) send(ctx context.Context, p store.LeasedDelivery) attemptResult {
	var n claim.Notice
	if json.Unmarshal(p.Body, &n) != nil {
		return attemptResult{problem: "the event cannot be decoded", final: true}
	}
	// A status is never returned to the side that set it.
	if n.Data.Status == "" || n.Data.StatusBy == claim.ByOwner {
		return attemptResult{skip: nothingToTell}
	}
	now, err := s.store.Claims.Record(ctx, n.Data.Ref)
	switch {
	case errors.Is(err, store.ErrNotFound):
		now.Preference = n.Data.Preference
	case err != nil:
		return attemptResult{problem: "cannot read the claim from the store"}
	case now.StatusBy == claim.ByOwner && now.Status != n.Data.Status:
		return attemptResult{skip: ownersWord}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	shop := cmp.Or(p.Karla.Shop, n.Data.Shop)
	as := karla.Credentials{User: p.Karla.User, Password: seal.Secret(p.Karla.Password)}
	err = karla.PutClaim(ctx, s.client, p.URL, as, shop, n.Data.ID, karla.Update{Status: n.Data.Status, ResolutionPreference: now.Preference})
	var refused *karla.StatusError
	switch {
	case err == nil:
		return attemptResult{status: http.StatusOK}
	case errors.As(err, &refused):
		a := attemptResult{status: refused.Status, final: refused.Final(), retryAfter: retryAfter(refused.RetryAfter, s.now())}
		if refused.Status == http.StatusUnauthorized {
			a.pause = credentialsReason
		}
		return a
	default:
		return attemptResult{problem: s.inWords(err)}
	}
}
