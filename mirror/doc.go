// Package mirror is the model of a Dixa organization as Claimflow stores it:
// conversations, messages, notes, activities, ratings, and the directory of people,
// teams and queues.
//
// Each source has a function that converts what it says into records: the Exports
// API, the API's objects, webhook events, the activity log. One rule merges them, so
// the same information gives the same records in any order and with any repetition.
// [Derive] computes the figures of a conversation from its records.
//
// The package is pure: it does not use HTTP, SQL or Temporal.
package mirror
