// Package claim is the contract that every other package of Claimflow shares:
// the claim as a shop sends it, in both accepted wire forms; its validation;
// the states that it goes through; a shop's settings; and the names by which
// workflows, messages, search attributes and errors are known.
//
// It imports nothing of ours, so a service that talks to Claimflow can import
// it without pulling in a store, an engine or a client for Dixa.
package claim
