package activities

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

// sent is the result of a reply or note.
type sent struct {
	MessageID string `json:"message_id"`
}

// replyChannels are the channels on which the API can send an agent's message. See POST
// /v1/conversations/{conversationId}/messages.
var replyChannels = []dixa.Channel{dixa.ChannelEmail, dixa.ChannelContactForm, dixa.ChannelWidgetChat, dixa.ChannelMessenger}

// sendReply writes to the customer, as an agent, in the claim's conversation.
func sendReply(ctx context.Context, s *session, in claim.Instruction) (outcome, error) {
	var reply claim.ReplyBody
	if json.Unmarshal(in.Body, &reply) != nil {
		return outcome{}, refusal{"the stored reply cannot be decoded"}
	}
	var err error
	reply.AgentID, err = decideOnce(ctx, s, in, func(context.Context) (string, error) {
		return cmp.Or(reply.AgentID, s.settings.DefaultAgentID), nil
	})
	if err != nil {
		return outcome{}, err
	}
	if reply.AgentID == "" {
		return outcome{}, refusal{"a reply requires an agent: set agent_id in the reply or default_agent_id in the shop's settings"}
	}
	if err := s.ensureReplyable(ctx, in); err != nil {
		return outcome{}, err
	}
	step := in.Step("")
	id, err := executeOnce(ctx, s.store, write[string]{
		ref: s.ref, step: step, window: s.window(), unknown: claim.CauseOutcomeUnknown, isDuplicate: dixa.IsDuplicateExternalID,
		find: func(ctx context.Context) (string, bool, error) { return s.findReply(ctx, in, step, reply) },
		send: func(ctx context.Context, key string) (string, error) {
			added, err := s.client.Conversations.AddMessage(ctx, s.work.ConversationID, dixa.MessageInput{
				Type: dixa.Outbound, AgentID: reply.AgentID, Content: contentOf(reply), Attachments: filesOf(reply), ExternalID: key,
			})
			if err != nil {
				return "", err
			}
			return added.MessageID, nil
		},
	})
	if dixa.IsAttachmentDownload(err) {
		return outcome{}, refusal{"Dixa could not copy an attachment, so nothing was sent: " + err.Error()}
	}
	return outcome{result: sent{MessageID: id}, wrote: true}, err
}

// ensureReplyable ensures that the conversation accepts a reply. It reopens a closed
// conversation if the shop's settings allow that. Dixa does not document what it
// does with a message to a closed conversation.
func (s *session) ensureReplyable(ctx context.Context, in claim.Instruction) error {
	if slices.Contains(s.work.DoneSteps, in.Step("")) {
		return nil
	}
	c, err := s.client.Conversations.Get(ctx, s.work.ConversationID)
	if err != nil {
		return err
	}
	if !slices.Contains(replyChannels, c.Channel) {
		return refusal{fmt.Sprintf("Dixa's API does not support replies on the channel %s; reply in Dixa", c.Channel)}
	}
	if c.State != dixa.StateClosed {
		return nil
	}
	if s.settings.ReplyToClosed == claim.ReplyRefused {
		return refusal{"the conversation is closed, and the shop's settings refuse replies to closed conversations (reply_to_closed)"}
	}
	return s.client.Conversations.Reopen(ctx, s.work.ConversationID, "")
}

// findReply searches the conversation's messages for a reply by its key. If Dixa
// keeps no keys, it searches for the same text by the same agent since the
// instruction was created, and skips messages known to be other replies of ours.
func (s *session) findReply(ctx context.Context, in claim.Instruction, step string, reply claim.ReplyBody) (string, bool, error) {
	messages, err := s.client.Conversations.Messages(ctx, s.work.ConversationID)
	if err != nil {
		return "", false, err
	}
	for _, m := range messages {
		if strings.HasPrefix(m.ExternalID, s.ref.ExternalIDPrefix(step)) {
			return m.ID, true, nil
		}
	}
	others, err := s.store.Instructions.SentMessages(ctx, s.ref)
	if err != nil {
		return "", false, err
	}
	words, err := json.Marshal(reply.Text + reply.HTML)
	if err != nil {
		return "", false, err
	}
	for _, m := range messages {
		same := m.ExternalID == "" && m.AuthorID == reply.AgentID && mentions(m, strings.Trim(string(words), `"`))
		if same && !others[m.ID] && !m.CreatedAt.Before(in.CreatedAt.Add(-clockSkew)) {
			return m.ID, true, nil
		}
	}
	return "", false, nil
}

func contentOf(r claim.ReplyBody) dixa.Content {
	if r.HTML != "" {
		return dixa.HTMLContent(r.HTML)
	}
	return dixa.TextContent(r.Text)
}

func filesOf(r claim.ReplyBody) []dixa.Attachment {
	var files []dixa.Attachment
	for _, address := range r.Attachments {
		name := ""
		if u, err := url.Parse(address); err == nil {
			name = path.Base(u.Path)
		}
		files = append(files, dixa.Attachment{URL: address, PrettyName: name})
	}
	return files
}

// writeNote writes an internal note through an operation of Dixa that never reaches
// a customer.
func writeNote(ctx context.Context, s *session, in claim.Instruction) (outcome, error) {
	var note claim.NoteBody
	if json.Unmarshal(in.Body, &note) != nil {
		return outcome{}, refusal{"the stored note cannot be decoded"}
	}
	sum := sha256.Sum256([]byte(in.ID))
	sign := fmt.Sprintf("Claimflow %s #%s", s.ref.Reference(), hex.EncodeToString(sum[:4]))
	id, err := s.addNote(ctx, in.Step(""), sign, noteText(note.Text, evidenceDraft{}, sign))
	return outcome{result: sent{MessageID: id}, wrote: true}, err
}
