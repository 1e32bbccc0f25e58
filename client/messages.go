package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/claimflow/claimflow/claim"
)

// MessagePage is a page of the messages of a claim's conversation, oldest first.
type MessagePage struct {
	Messages []claim.Message `json:"data"`
	// Next is the cursor of the next page; empty on the last page.
	Next string `json:"next,omitempty"`
}

// NewMessage is a reply to the customer or an internal note.
type NewMessage struct {
	// Kind is [claim.InstructReply] or [claim.InstructNote].
	Kind string `json:"kind" enum:"reply,note" doc:"reply: a message from an agent to the customer. note: an internal note, which the customer never sees."`
	// Text or HTML is the content. A note has only Text.
	Text string `json:"text,omitempty" doc:"The content as plain text."`
	HTML string `json:"html,omitempty" doc:"The content of a reply as HTML, instead of text."`
	// AgentID is the agent who replies; empty for the shop's default agent.
	AgentID string `json:"agent_id,omitempty" doc:"The Dixa agent who replies; the shop's default agent if omitted."`
	// Attachments are https URLs from which Dixa copies files.
	Attachments []string `json:"attachments,omitempty" doc:"URLs from which Dixa copies files."`
}

// Messages yields the messages and notes of a claim's conversation, oldest first,
// and fetches pages on demand. It ends after an error.
func (c *Client) Messages(ctx context.Context, ref claim.Ref) iter.Seq2[claim.Message, error] {
	return pages(func(cursor string) ([]claim.Message, string, error) {
		page, err := c.MessagesPage(ctx, ref, cursor, 0)
		return page.Messages, page.Next, err
	})
}

// MessagesPage returns one page. An empty cursor means the first page. A limit of
// zero uses the service's default.
func (c *Client) MessagesPage(ctx context.Context, ref claim.Ref, cursor string, limit int) (MessagePage, error) {
	return ask[MessagePage](ctx, c, call{
		method: http.MethodGet, path: append(oneClaim(ref), "messages"), query: query("cursor", cursor, "limit", number(max(limit, 0))),
	})
}

// NewestMessages returns one page, with the newest message first. Its cursors are not
// those of [Client.MessagesPage].
func (c *Client) NewestMessages(ctx context.Context, ref claim.Ref, cursor string, limit int) (MessagePage, error) {
	return ask[MessagePage](ctx, c, call{
		method: http.MethodGet, path: append(oneClaim(ref), "messages"), query: query("order", "newest", "cursor", cursor, "limit", number(max(limit, 0))),
	})
}

// Send sends a reply to the customer or writes an internal note, once per key. The
// caller chooses the key: 1 to 200 visible ASCII characters. [Client.Instruction]
// returns the outcome under the same key.
func (c *Client) Send(ctx context.Context, ref claim.Ref, key string, m NewMessage) (claim.Instruction, error) {
	return ask[claim.Instruction](ctx, c, call{
		method: http.MethodPost, path: append(oneClaim(ref), "messages"), body: m, key: key,
	})
}

// Instruction returns the state of a message or change.
func (c *Client) Instruction(ctx context.Context, ref claim.Ref, id string) (claim.Instruction, error) {
	return ask[claim.Instruction](ctx, c, call{method: http.MethodGet, path: append(oneClaim(ref), "instructions", id)})
}

// Attachment downloads a file of a message, up to 50 MiB. The message's Attachments
// contain its id.
func (c *Client) Attachment(ctx context.Context, ref claim.Ref, message, attachment string) ([]byte, error) {
	return c.send(ctx, attachmentCall(ref, message, attachment))
}

// OpenAttachment returns the answer that has a file of a message, with its name and type.
// The caller closes its body, whose end is an error if the file is not complete. The
// request is bounded by ctx only, and not retried.
func (c *Client) OpenAttachment(ctx context.Context, ref claim.Ref, message, attachment string) (*http.Response, error) {
	return c.stream(ctx, attachmentCall(ref, message, attachment))
}

func attachmentCall(ref claim.Ref, message, attachment string) call {
	path := append(oneClaim(ref), "messages", message, "attachments", attachment)
	return call{method: http.MethodGet, path: path, accept: "*/*", slow: true}
}
