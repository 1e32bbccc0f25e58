package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/karla"
	"github.com/claimflow/claimflow/store"
)

// nothingToTell is the note of an event that Karla need not know of.
const nothingToTell = "nothing to tell: the event has no status that the owner does not know"

// karlaSender tells Karla the status of claims.
type karlaSender struct{ *webhookSender }

func (s *karlaSender) send(ctx context.Context, p store.Parcel) answer {
	var n claim.Notice
	if json.Unmarshal(p.Body, &n) != nil {
		return answer{problem: "the event cannot be read", final: true}
	}
	// A status is never returned to the side that set it.
	if n.Data.Status == "" || n.Data.StatusBy == "owner" {
		return answer{skip: nothingToTell}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	shop := p.Karla.Shop
	if shop == "" {
		shop = n.Data.Shop
	}
	client := karla.Client{HTTP: s.client}
	as := karla.Credentials{User: p.Karla.User, Password: karla.Secret(p.Karla.Password)}
	err := client.PutClaim(ctx, p.URL, as, shop, n.Data.ID, karla.Update{Status: n.Data.Status, ResolutionPreference: n.Data.Preference})
	var refused *karla.StatusError
	switch {
	case err == nil:
		return answer{status: http.StatusOK}
	case errors.As(err, &refused):
		a := answer{status: refused.Status, final: refused.Final(), retryAfter: retryAfter(refused.RetryAfter, s.now())}
		if refused.Status == http.StatusUnauthorized {
			a.pause = credentialsReason
		}
		return a
	default:
		return answer{problem: s.inWords(err)}
	}
}
