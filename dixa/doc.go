// Package dixa is a typed client for the Dixa API (https://dev.dixa.io/v1).
//
// A [Client] has one service per group of operations:
//
//	client, err := dixa.New(token)
//	org, err := client.Organization.Get(ctx)
//	id, err := client.Conversations.Create(ctx, dixa.NewConversation{...})
//	for user, err := range client.EndUsers.List(ctx, dixa.EndUserFilter{Email: "a@example.org"}) { ... }
//
// # Errors
//
// Every failed call returns an [*Error]. It contains Dixa's response and says
// whether a retry can succeed and how long to wait before it. Because the API has no
// idempotency keys, it also reports the known effect of the request: [Unsent],
// [Rejected] or [Ambiguous]. The client never retries a write; the caller decides.
//
// # Reads
//
// A request that cannot change anything (every GET, and the queries POST
// /search/conversations, /analytics/metrics and /analytics/records) is never
// Ambiguous. It is Unsent if it never got a connection, and Rejected otherwise, even
// if the response was truncated.
//
// # Implicit retries
//
// net/http resends a GET if a kept-alive connection turns out to be closed. It
// resends a write only if no byte of the first attempt was sent. To guarantee this
// under HTTP/2 as well, requests have no GetBody and never carry an Idempotency-Key
// header. A custom transport (see [WithTransport]) must not retry on its own.
//
// # Safety
//
// The client sends the token only to the scheme, host and port of the base URL. It
// follows no redirects, and it rejects a next-page link to another host with
// [ErrForeignHost]. Response sizes are bounded. No error text contains the token, an
// email address or a phone number.
//
// # Webhooks
//
// Dixa reports events in signed requests. [VerifySignature] verifies the signature
// and [ParseEvent] decodes the body. The caller receives and stores events:
//
//	err := dixa.VerifySignature(r.Header.Get(dixa.SignatureHeader), body, secrets, time.Now(), dixa.DefaultSignatureTolerance)
//	event, err := dixa.ParseEvent(body)
//	conversation, ok := event.Conversation()
//
// Dixa does not document the payloads of many events. [Event.Data] therefore keeps
// the payload data unmodified, [Event.Conversation] works for every event that has a
// conversation, and methods such as [Event.MessageAdded] decode the payloads with a
// known shape. [EventName.FQN] reports whether an event's payload name is confirmed
// or an assumption of this package.
//
// # Exports
//
// [Exports] reads all conversations or messages of a period from the Exports API, row
// by row, so that an export of any size takes little memory:
//
//	exports, err := dixa.NewExports(token)
//	for row, err := range exports.Messages(ctx, dixa.ExportQuery{After: from, Before: to}) { ... }
//
// # Unknown members and values
//
// Enumerations are open: unknown values are kept unmodified. Objects keep members
// that this package does not know in their Extra field and write them back when
// encoded. Empty optional members are omitted, which Dixa treats as absent. In an
// event, a known member of an unexpected type also goes to Extra instead of failing
// the whole event.
package dixa
