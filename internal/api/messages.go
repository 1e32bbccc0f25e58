package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

type messagesInput struct {
	InClaim
	Limit  int    `query:"limit" minimum:"0" maximum:"500" doc:"The maximum number of messages. The default is 50."`
	Order  string `query:"order" enum:"oldest,newest" default:"oldest" doc:"Which message comes first."`
	Cursor string `query:"cursor" doc:"The cursor from the previous page of the same order."`
}

func (a *api) listMessages(ctx context.Context, in *messagesInput) (*body[client.MessagePage], error) {
	if _, err := a.Store.Claims.Record(ctx, in.ref()); err != nil {
		return nil, err
	}
	f := store.MessageFilter{Limit: in.Limit, Newest: in.Order == "newest"}
	if f.Limit == 0 {
		f.Limit = 50
	}
	if in.Cursor != "" {
		var err error
		if f.After, f.AfterID, err = messageAt(in.Cursor); err != nil {
			return nil, err
		}
	}
	messages, err := a.Store.Conversations.Messages(ctx, in.ref(), f)
	if err != nil {
		return nil, err
	}
	page := client.MessagePage{Messages: notNil(messages)}
	if len(messages) == f.Limit {
		last := messages[len(messages)-1]
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(last.At.UnixMicro(), 10) + "/" + last.ID))
	}
	return ok(page, nil)
}

// messageAt decodes a cursor.
func messageAt(cursor string) (time.Time, string, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	at, id, found := strings.Cut(string(text), "/")
	micros, parseErr := strconv.ParseInt(at, 10, 64)
	if err != nil || parseErr != nil || !found {
		return time.Time{}, "", invalid("query", "cursor", "must be a cursor from an earlier page")
	}
	return time.UnixMicro(micros).UTC(), id, nil
}

type sendInput struct {
	InClaim
	Key     string `header:"Idempotency-Key" required:"true" doc:"Identifies the message: 1 to 200 visible ASCII characters of your choice. A repeated key does not send the message again."`
	RawBody []byte `contentType:"application/json"`
}

func (a *api) sendMessage(ctx context.Context, in *sendInput) (*body[claim.Instruction], error) {
	if err := a.writable(ctx, in.Shop, http.MethodGet); err != nil {
		return nil, err
	}
	record, err := a.Store.Claims.Record(ctx, in.ref())
	if err != nil {
		return nil, err
	}
	settings, err := a.Store.Settings.Integration(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	m, fieldErrors := a.readMessage(in, settings.Effective)
	if len(fieldErrors) > 0 {
		return nil, &claim.InvalidError{What: "message", Errors: fieldErrors}
	}
	if record.State == claim.StateAbandoned || record.State == claim.StateSkipped {
		return nil, &store.ConflictError{Problem: fmt.Sprintf("claim %s is %s and accepts no messages; retry the claim first", in.ref(), record.State)}
	}
	var content any = claim.NoteBody{Text: m.Text}
	if m.Kind == claim.InstructReply {
		content = claim.ReplyBody{Text: m.Text, HTML: m.HTML, AgentID: m.AgentID, Attachments: m.Attachments}
	}
	data, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	recordChange(ctx, "kind", m.Kind)
	instruction, _, err := a.Store.Instructions.Add(ctx, claim.Instruction{Ref: in.ref(), ID: in.Key, Kind: m.Kind, Body: data, By: of(ctx).key.Name})
	return ok(instruction, err)
}

// maxAttachmentURL bounds the address of an attachment, in bytes.
const maxAttachmentURL = 2000

// attachable reports whether Dixa may copy a file from an address.
func (a *api) attachable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || len(address) > maxAttachmentURL {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	here := u.Hostname() == "localhost" || err == nil && ip.Unmap().IsLoopback()
	if here {
		return a.AllowLoopback && (u.Scheme == "https" || u.Scheme == "http")
	}
	return u.Scheme == "https"
}

// readMessage decodes a message and returns all of its errors.
func (a *api) readMessage(in *sendInput, s claim.Settings) (client.NewMessage, []claim.FieldError) {
	var m client.NewMessage
	var fieldErrors []claim.FieldError
	wrong := func(field, problem string) {
		fieldErrors = append(fieldErrors, claim.FieldError{Field: field, Problem: problem})
	}
	if len(in.Key) == 0 || len(in.Key) > 200 || strings.ContainsFunc(in.Key, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) {
		wrong("Idempotency-Key", "must be 1 to 200 visible ASCII characters without a slash")
	}
	decoder := json.NewDecoder(strings.NewReader(string(in.RawBody)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		wrong("body", "must be a JSON object with kind, text or html, agent_id and attachments")
		return m, fieldErrors
	}
	switch m.Kind {
	case claim.InstructReply:
		if (m.Text == "") == (m.HTML == "") {
			wrong("text", "or html is required for a reply, but not both")
		}
		if m.AgentID == "" && s.DefaultAgentID == "" {
			wrong("agent_id", "is required because the shop has no default agent")
		}
	case claim.InstructNote:
		if strings.TrimSpace(m.Text) == "" {
			wrong("text", "is required for a note")
		}
		if m.HTML != "" || m.AgentID != "" || len(m.Attachments) > 0 {
			wrong("kind", "must be reply if html, agent_id or attachments are set")
		}
	default:
		wrong("kind", "must be reply or note")
	}
	if len(m.Text)+len(m.HTML) > claim.MaxReply {
		wrong("text", fmt.Sprintf("must be at most %d bytes", claim.MaxReply))
	}
	if len(m.Attachments) > claim.MaxReplyFiles {
		wrong("attachments", fmt.Sprintf("must have at most %d entries", claim.MaxReplyFiles))
	}
	for i, address := range m.Attachments {
		if !a.attachable(address) {
			wrong(fmt.Sprintf("attachments[%d]", i), fmt.Sprintf("must be an https URL of at most %d bytes without a user name", maxAttachmentURL))
		}
	}
	return m, fieldErrors
}

type instructionInput struct {
	InClaim
	Instruction string `path:"instruction" doc:"The Idempotency-Key of a message, or the instruction_id of a change."`
}

func (a *api) getInstruction(ctx context.Context, in *instructionInput) (*body[claim.Instruction], error) {
	return ok(a.Store.Instructions.Get(ctx, in.ref(), in.Instruction))
}
