package client

import (
	"context"
	"net/http"

	"github.com/claimflow/claimflow/claim"
)

// EraseRequest names the customer to erase, by exactly one of the first four members.
type EraseRequest struct {
	Email      string `json:"email,omitempty" doc:"The customer's email address, in any case."`
	Phone      string `json:"phone,omitempty" doc:"The customer's phone number. Everyone who gave this number is erased."`
	ExternalID string `json:"external_id,omitempty" doc:"The shop's own id of the customer."`
	EndUserID  string `json:"end_user_id,omitempty" doc:"The customer's id in Dixa."`
	DryRun     bool   `json:"dry_run,omitempty" doc:"Only count what would be erased."`
}

// ErasureList is a list of erasures, newest first.
type ErasureList struct {
	Erasures []claim.Erasure `json:"data"`
}

// EraseCustomer starts the erasure of a shop's customer, in Dixa and in Claimflow. It
// runs in the background, see [Client.Erasure]. Repeating it while it runs returns the
// same erasure.
func (c *Client) EraseCustomer(ctx context.Context, shop string, r EraseRequest) (claim.Erasure, error) {
	return ask[claim.Erasure](ctx, c, call{method: http.MethodPost, path: shopPath(shop, "customers", "erase"), body: r})
}

// Erasure returns an erasure with its progress and report.
func (c *Client) Erasure(ctx context.Context, shop, id string) (claim.Erasure, error) {
	return ask[claim.Erasure](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "erasures", id)})
}

// Erasures lists up to 200 of a shop's newest erasures.
func (c *Client) Erasures(ctx context.Context, shop string) ([]claim.Erasure, error) {
	out, err := ask[ErasureList](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "erasures")})
	return out.Erasures, err
}
