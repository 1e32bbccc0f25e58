// Package claim is the contract that all other Claimflow packages share: the claim
// as a shop sends it, in both wire forms; its validation; its states; a shop's
// settings; and the names of workflows, messages, search attributes and errors.
//
// It imports no other Claimflow package, so a service that talks to Claimflow can
// import it without a store, Temporal or a Dixa client.
package claim
