package unify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// comments reads messages and notes.
type comments struct{ *Service }

// thread is a conversation with its messages and notes.
type thread struct {
	unified.Thread
	messages []mirror.Message
	names    names
	source   Source
}

func (c *comments) list(ctx context.Context, r *Request, cursor string) (page unified.Page, source Source, err error) {
	n, ok, err := ticketOf(r.Take("ticket.id"))
	if err != nil || !ok {
		return page, source, err
	}
	t, err := c.thread(ctx, r, n)
	if err != nil {
		return page, source, err
	}
	all := make([]unified.Object, len(t.messages))
	for i := range t.messages {
		all[i] = unified.CommentOf(&t.messages[i], &t.Thread, t.names)
	}
	page, err = paginate(r, all, cursor)
	return page, t.source, err
}

func (c *comments) get(ctx context.Context, r *Request, id string) (unified.Object, Source, error) {
	t, at, err := c.threadOf(ctx, r, r.Take("ticket.id"), id)
	if err != nil {
		return nil, Source{}, err
	}
	return unified.CommentOf(&t.messages[at], &t.Thread, t.names), t.source, nil
}

// attachments reads files of messages.
type attachments struct{ *Service }

func (a *attachments) list(ctx context.Context, r *Request, cursor string) (page unified.Page, source Source, err error) {
	ticket, comment := r.Take("ticket_id"), r.Take("comment_id")
	var t *thread
	if len(comment) > 0 {
		if len(comment) > 1 {
			return page, source, unified.Invalid("comment_id", "must be one comment")
		}
		var at int
		if t, at, err = a.threadOf(ctx, r, ticket, comment[0]); err == nil {
			t.messages = t.messages[at : at+1]
		}
	} else {
		var n int64
		var ok bool
		if n, ok, err = ticketOf(ticket); err != nil || !ok {
			return page, source, err
		}
		t, err = a.thread(ctx, r, n)
	}
	if err != nil {
		return page, source, err
	}
	var all []unified.Object
	for i := range t.messages {
		for _, file := range unified.AttachmentsOf(&t.messages[i], &t.Thread, t.names) {
			all = append(all, file)
		}
	}
	page, err = paginate(r, all, cursor)
	return page, t.source, err
}

func (a *attachments) get(ctx context.Context, r *Request, id string) (unified.Object, Source, error) {
	message, _, ok := unified.SplitAttachmentID(id)
	if !ok {
		return nil, Source{}, notFound()
	}
	t, at, err := a.threadOf(ctx, r, r.Take("ticket_id"), message)
	if err != nil {
		return nil, Source{}, err
	}
	for _, file := range unified.AttachmentsOf(&t.messages[at], &t.Thread, t.names) {
		if file.ID == id {
			return file, t.source, nil
		}
	}
	return nil, t.source, notFound()
}

// File finds a file of a message of an account. raw is the query string, which may name
// the ticket.
func (s *Service) File(ctx context.Context, account, id, raw string) (claim.MessageAttachment, error) {
	message, attachment, ok := unified.SplitAttachmentID(id)
	_, r, err := s.prepare(account, unified.ModelTicketing, "attachments", unified.MethodGet, raw)
	if err == nil && !ok {
		err = notFound()
	}
	if err != nil {
		return claim.MessageAttachment{}, err
	}
	t, at, err := s.threadOf(ctx, r, r.Take("ticket_id"), message)
	if err != nil {
		return claim.MessageAttachment{}, errorOf(err)
	}
	for _, file := range t.messages[at].Attachments {
		if file.ID == attachment && file.Source != "" {
			return file, nil
		}
	}
	return claim.MessageAttachment{}, notFound()
}

// ticketOf reads the ids of a filter by ticket. ok is false if no ticket can match.
func ticketOf(ids []string) (n int64, ok bool, err error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) != 1 {
		return 0, false, unified.Invalid("ticket_id", "must be one ticket")
	}
	n, err = conversationID(ids[0])
	return n, err == nil, nil
}

// threadOf reads the conversation of a message, and the place of the message there.
func (s *Service) threadOf(ctx context.Context, r *Request, ticket []string, message string) (t *thread, at int, err error) {
	var n int64
	if len(ticket) > 0 {
		var ok bool
		if n, ok, err = ticketOf(ticket); err == nil && !ok {
			err = notFound()
		}
	} else if n, err = s.Store.Mirror.ConversationOf(ctx, r.Account, message); errors.Is(err, store.ErrNotFound) {
		missing := unified.Missing([]string{"ticket_id"}, nil)
		missing.Message = "Claimflow does not know this message yet, and Dixa finds messages by their ticket only: give ticket_id."
		err = missing
	}
	if err != nil {
		return nil, 0, err
	}
	if t, err = s.thread(ctx, r, n); err != nil {
		return nil, 0, err
	}
	at = slices.IndexFunc(t.messages, func(m mirror.Message) bool { return m.ID == message })
	if at < 0 {
		return nil, 0, notFound()
	}
	return t, at, nil
}

// thread reads the messages and notes of a conversation: from the mirror if it has
// everything that Dixa lists, otherwise from Dixa. Those are stored, so that the next
// request is answered by the mirror.
func (s *Service) thread(ctx context.Context, r *Request, id int64) (*thread, error) {
	source, mirrored, err := s.mirrored(ctx, r)
	if err != nil {
		return nil, err
	}
	known, err := s.Store.Mirror.Comments(ctx, r.Account, id)
	if err != nil {
		return nil, err
	}
	t := &thread{source: source, messages: known.Messages}
	t.FileURL = s.fileURL(r.Account)
	if mirrored && known.Complete {
		t.source.From = time.Time{}
		c, err := s.Store.Mirror.Conversation(ctx, r.Account, id)
		if err != nil {
			return nil, err
		}
		t.Requester, t.Channel = c.Requester, c.Origin.Channel
	} else if err := s.readThread(ctx, r.Account, id, t); err != nil {
		return nil, err
	}
	w := wanted{}
	for i := range t.messages {
		w.ofMessage(&t.messages[i])
	}
	if t.Requester != nil {
		w.add(mirror.KindEndUser, t.Requester.ID)
	}
	t.names, err = s.lookUp(ctx, r.Account, w)
	return t, err
}

// readThread reads a conversation with its messages and notes from Dixa, and merges them
// with those that are known.
//
// Dixa: GET /v1/conversations/{conversationId}, …/messages and …/notes.
func (s *Service) readThread(ctx context.Context, account string, id int64, t *thread) error {
	t.source = liveNow()
	client, err := s.Clients.Client(ctx, account)
	if err != nil {
		return err
	}
	ctx, _ = connection.Count(ctx)
	readAt := time.Now()
	object, err := client.Conversations.Get(ctx, id)
	if err != nil {
		return err
	}
	messages, err := client.Conversations.Messages(ctx, id)
	if err != nil {
		return err
	}
	notes, err := client.Conversations.Notes(ctx, id)
	if err != nil {
		return err
	}
	var c mirror.Conversation
	c.Apply(mirror.ConversationFromObject(object, nil, nil, readAt))
	t.Requester, t.Channel, t.Objects = c.Requester, c.Origin.Channel, map[string]json.RawMessage{}
	batch := store.MirrorBatch{ConnectionID: account}
	for _, m := range messages {
		batch.Messages = append(batch.Messages, mirror.MessageFromList(id, m, readAt))
		t.Objects[m.ID] = objectOf(m)
	}
	for _, n := range notes {
		batch.Messages = append(batch.Messages, mirror.NoteFromList(id, n, readAt))
		t.Objects[n.ID] = objectOf(n)
	}
	if _, err := s.Store.Mirror.Merge(ctx, batch); err != nil {
		return fmt.Errorf("store the messages of conversation %d: %w", id, err)
	}
	t.messages = merged(batch.Messages, t.messages)
	return nil
}

func objectOf(dixaObject any) json.RawMessage {
	text, _ := json.Marshal(dixaObject) //nolint:errchkjson // the client's types can be encoded
	return text
}

// merged returns the messages that Dixa lists, oldest first, with what the mirror knows
// of them.
func merged(listed, known []mirror.Message) []mirror.Message {
	stored := map[string]mirror.Message{}
	for _, m := range known {
		stored[m.ID] = m
	}
	all := make([]mirror.Message, len(listed))
	for i, m := range listed {
		if old, ok := stored[m.ID]; ok {
			m = mirror.MergeMessages(old, m)
		}
		all[i] = m
	}
	slices.SortStableFunc(all, func(a, b mirror.Message) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID)) })
	return all
}

// fileURL returns how files of an account are addressed: below the unified API, so that
// the same API key opens them.
func (s *Service) fileURL(account string) func(*unified.Attachment) string {
	return func(a *unified.Attachment) string {
		query := url.Values{"integrated_account_id": {account}, "ticket_id": {a.TicketID}}
		return strings.TrimSuffix(s.PublicURL, "/") + "/unified/ticketing/attachments/" + url.PathEscape(a.ID) + "/download?" + query.Encode()
	}
}
