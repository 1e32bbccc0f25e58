package store

import (
	"cmp"
	"context"
	"database/sql"
	"strings"

	"github.com/claimflow/claimflow/claim"
)

// saveFacts writes what figures of claims need of a claim's content.
func (s *core) saveFacts(ctx context.Context, tx *sql.Tx, c *claim.Claim) error {
	var carrier string
	for _, shipment := range c.Shipments {
		carrier = cmp.Or(carrier, shipment.Carrier)
	}
	_, err := exec(ctx, tx, `UPDATE claims SET carrier_key = $3, phase_key = $4, preference_key = $5, customer = $6 WHERE shop = $1 AND id = $2`,
		c.Shop, c.ID, plain(claim.NormalizeKey(carrier)), plain(claim.NormalizeKey(c.ShipmentPhase())), plain(claim.NormalizeKey(c.Preference)), s.customerKey(c))
	return err
}

// customerKey is the same for all claims of a shop's customer. It is empty if the claim
// does not identify its customer.
func (s *core) customerKey(c *claim.Claim) string {
	who := cmp.Or(c.Customer.Email, c.Customer.Phone, c.Customer.ExternalID)
	if strings.TrimSpace(who) == "" {
		return ""
	}
	return s.claimant(c.Shop, who)
}

// claimant returns the key of the customer of a shop who has an email address, or else a
// phone number or external id.
func (s *core) claimant(shop, who string) string {
	who = strings.TrimSpace(who)
	if strings.Contains(who, "@") {
		who = strings.ToLower(who)
	}
	return s.keyedHash("claimant", shop, who)
}

// recordStep records the times that figures of claims need of a change.
func (s *core) recordStep(ctx context.Context, tx *sql.Tx, ref claim.Ref, event claim.Event, set ClaimUpdate, now int64) error {
	switch event {
	case claim.EventPark:
		_, err := exec(ctx, tx, `INSERT INTO claim_parkings (shop, claim_id, at, cause) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			ref.Shop, ref.ID, now, plain(string(set.Cause)))
		return err
	case claim.EventSettle, claim.EventReopen:
		settled := now
		if event == claim.EventReopen {
			settled = 0
		}
		_, err := exec(ctx, tx, `UPDATE claims SET settled_at = $3 WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID, settled)
		return err
	}
	return nil
}
