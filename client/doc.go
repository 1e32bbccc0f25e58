// Package client is the Go client of Claimflow. It submits claims, and reads, lists
// and follows them. Every `starter` command that calls the API uses it.
//
//	c, err := client.New("https://claims.example", apiKey)
//	submitted, err := c.Submit(ctx, &claim.Claim{...})
//	for record, err := range c.Claims(ctx, "acme", client.Filter{State: claim.StateNeedsAttention}) { ... }
//
// Every method is safe to call again with the same arguments unless it says
// otherwise: submitting a claim twice creates one claim. The client retries calls by
// itself if that is safe, see [WithRetries].
//
// Every failure that the service reports is an [*Error]. If a claim or settings are
// invalid, its Errors field lists every error by JSON name.
package client
