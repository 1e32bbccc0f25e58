// Package dixa is a typed client for the Dixa API (https://dev.dixa.io/v1).
//
// A [Client] holds one service per group of operations:
//
//	client, err := dixa.New(token)
//	org, err := client.Organization.Get(ctx)
//	id, err := client.Conversations.Create(ctx, dixa.NewConversation{...})
//	for user, err := range client.EndUsers.List(ctx, dixa.EndUserFilter{Email: "a@example.org"}) { ... }
//
// # Errors
//
// Every failed call returns an [*Error]. It says what Dixa answered, whether a
// retry can help and after how long, and, which matters most for an API
// without idempotency keys, what is known of the request's effect:
// [Unsent], [Rejected] or [Ambiguous]. The client itself never repeats a
// write; that decision is its caller's.
//
// # Reads
//
// A request that cannot change anything (every GET, and
// POST /search/conversations) is never Ambiguous: it is Unsent when it never
// got a connection and Rejected otherwise, also when the answer was cut.
//
// # What is sent again without being asked
//
// net/http sends a GET again when a kept-alive connection turns out to have
// been closed. A write is sent again by it only where no byte of the first
// attempt left. To keep that so under HTTP/2 as well, requests carry no
// GetBody and never an Idempotency-Key header. A custom transport (see
// [WithTransport]) must not retry on its own.
//
// # Safety
//
// The token goes to the base URL's scheme, host and port and nowhere else: no
// redirect is followed, and a link to a next page that names another host is
// refused with [ErrForeignHost]. Replies are bounded, and no error text holds
// the token, an e-mail address or a phone number.
//
// # Webhooks
//
// Dixa tells of what happens by signed requests. [VerifySignature] checks one,
// [ParseEvent] reads it; receiving and storing are the caller's:
//
//	err := dixa.VerifySignature(r.Header.Get(dixa.SignatureHeader), body, secrets, time.Now(), dixa.DefaultSignatureTolerance)
//	event, err := dixa.ParseEvent(body)
//	conversation, ok := event.Conversation()
//
// What the payloads of many events hold is documented nowhere. So [Event.Data]
// keeps all of it as it came, every event that has a conversation gives it, and
// methods such as [Event.MessageAdded] read those whose shape is known.
// [EventName.FQN] says for which events even the name in the payload is this
// package's reading.
//
// # Unknown members and values
//
// Enumerations are open: an unknown value is kept as it came. Objects keep
// members that this package does not know in their Extra field and write them
// out again. Empty optional members are left out, which Dixa reads as absent.
// In an event, a known member of an unexpected type is kept in Extra too instead
// of failing the whole.
package dixa
