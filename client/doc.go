// Package client is what a Go service imports to hand claims to Claimflow and
// to read, list and follow them, and what `starter` does all its work with.
//
//	c, err := client.New("https://claims.example", apiKey)
//	submitted, err := c.Submit(ctx, &claim.Claim{...})
//	for record, err := range c.Claims(ctx, "acme", client.Filter{State: claim.StateNeedsAttention}) { ... }
//
// Every method may be called again with the same arguments unless it says
// otherwise: submitting a claim twice makes one claim. The client itself tries
// again where that is safe, see [WithRetries].
//
// Every failure that the service reports is an [*Error]; a claim or settings
// that cannot be taken list every fault in its Errors field by JSON name.
package client
