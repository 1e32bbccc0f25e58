package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// clockSkew is how far Dixa's clock may lag behind ours when conversations are
// filtered by time.
const clockSkew = 10 * time.Minute

// CreateConversation finds or creates the claim's customer, creates the conversation
// with its files in the same request, and links it to the claim. If any run of the
// claim created a conversation before, CreateConversation finds and links that one
// instead. If a remembered customer no longer exists in Dixa, it looks the customer
// up again, once.
func (a *Dixa) CreateConversation(ctx context.Context, ref claim.Ref) (Conversation, error) {
	var made Conversation
	err := a.withSession(ctx, ref, "create the conversation", func(ctx context.Context, s *session) error {
		var err error
		made, err = s.conversation(ctx)
		if errors.Is(err, errCustomerGone) {
			made, err = s.conversation(ctx)
		}
		if errors.Is(err, errCustomerGone) {
			return parked(claim.CauseCustomer, err.Error())
		}
		return err
	})
	return made, err
}

// errCustomerGone says that Dixa does not know a customer who was found or created
// before. The customer is forgotten.
var errCustomerGone = errors.New("the customer no longer exists in Dixa")

func (s *session) conversation(ctx context.Context) (Conversation, error) {
	files, err := s.evidence(ctx)
	if err != nil {
		return Conversation{}, err
	}
	link, err := s.store.Links.Get(ctx, s.ref)
	if err == nil {
		return files.conversation(link.ConversationID), nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return Conversation{}, fmt.Errorf("read the link: %w", err)
	}
	endUserID, revision, err := s.customer(ctx)
	if err != nil {
		return Conversation{}, err
	}
	// The text, the files and the customer must come from the same claim revision.
	if files.Revision != s.ticket.Revision || revision != s.ticket.Revision {
		return Conversation{}, edited(s.ref)
	}
	for explained := false; ; {
		made, err := s.create(ctx, endUserID, files)
		if err == nil {
			return made, nil
		}
		if !explained && !dixa.IsAttachmentDownload(err) {
			if why := s.diagnoseRefusal(ctx, endUserID, err); why != nil {
				return Conversation{}, why
			}
			explained = true
		}
		if !contentRefused(err) || !files.shrink(s.content(), s.ref.Reference(), len(files.Files)) {
			return Conversation{}, err
		}
		if err := s.store.Claims.SaveDraft(ctx, s.ref, draftEvidence, files); err != nil {
			return Conversation{}, fmt.Errorf("record that the message is split: %w", err)
		}
	}
}

func (s *session) create(ctx context.Context, endUserID string, files evidenceDraft) (Conversation, error) {
	if s.ticket.EmailIntegrationID == "" {
		return Conversation{}, parked(claim.CauseContactEndpoint, "the shop's settings have no mailbox for new conversations (email_integration_id)")
	}
	subject := s.ticket.Subject
	if files.PartBytes > 0 {
		subject = clip(subject, files.PartBytes)
	}
	message := dixa.MessageInput{
		Type:        dixa.Inbound,
		Content:     files.content(s.content()),
		Attachments: attachments(files),
	}
	if s.ticket.Outbound {
		if s.ticket.AgentID == "" {
			return Conversation{}, parked(claim.CauseRouting, "opening is outbound, but neither the routing rules nor default_agent_id set an agent as the author")
		}
		message.Type, message.AgentID = dixa.Outbound, s.ticket.AgentID
	}
	// An operator's decision to create it anyway covers only the sends before it.
	var again time.Time
	if s.work.CreateAnyway {
		again = s.work.RetriedAt
	}
	return executeOnce(ctx, s.store, write[Conversation]{
		ref: s.ref, step: claim.StepConversation, revision: &s.ticket.Revision, window: s.window(), unknown: claim.CauseOutcomeUnknown, forcedAt: again,
		find: func(ctx context.Context) (Conversation, bool, error) {
			id, found, err := s.findConversation(ctx, endUserID)
			return files.conversation(id), found, err
		},
		send: func(ctx context.Context, key string) (Conversation, error) {
			message.ExternalID = key
			id, err := s.client.Conversations.Create(ctx, dixa.NewConversation{
				Type: dixa.NewEmail, RequesterID: endUserID, EmailIntegrationID: s.ticket.EmailIntegrationID,
				Subject: subject, Message: message, Language: language(s.ticket.Language),
			})
			return files.conversation(id), err
		},
		isDuplicate: dixa.IsDuplicateExternalID,
		finish: func(ctx context.Context, c Conversation) error {
			err := s.store.Links.Create(ctx, store.LinkInput{
				Ref: s.ref, ConnectionID: s.work.ConnectionID, ConversationID: c.ID, EndUserID: endUserID,
				Step: claim.StepConversation, Attached: c.Attached, LeftOut: c.LeftOut,
			})
			if err != nil {
				return fmt.Errorf("link conversation %d: %w", c.ID, err)
			}
			return nil
		},
	})
}

// language converts a language tag to what Dixa accepts: two letters of ISO 639-1.
// It returns "" if it cannot.
func language(tag string) string {
	base, _, _ := strings.Cut(tag, "-")
	if len(base) != 2 {
		return ""
	}
	return strings.ToLower(base)
}

func (s *session) content() dixa.Content {
	if s.ticket.Format == "text" {
		return dixa.TextContent(s.ticket.Body)
	}
	return dixa.HTMLContent(s.ticket.Body)
}

// findConversation searches the customer's conversations since the claim was
// accepted. It identifies the claim's conversation by the key of its first message
// or, if Dixa does not keep keys, by the claim's reference.
func (s *session) findConversation(ctx context.Context, endUserID string) (int64, bool, error) {
	since := s.work.AcceptedAt.Add(-clockSkew)
	for c, err := range s.client.EndUsers.Conversations(ctx, endUserID) {
		if dixa.IsNotFound(err) {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		if c.CreatedAt.Before(since) {
			continue
		}
		owner, err := s.store.Links.ClaimOf(ctx, s.work.ConnectionID, c.ID)
		if err == nil && owner != s.ref {
			continue
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, false, fmt.Errorf("read the claim of conversation %d: %w", c.ID, err)
		}
		ours, err := s.isOurs(ctx, c.ID)
		if err != nil {
			return 0, false, err
		}
		if ours {
			return c.ID, true, nil
		}
	}
	return 0, false, nil
}

func (s *session) isOurs(ctx context.Context, conversationID int64) (bool, error) {
	messages, err := s.client.Conversations.Messages(ctx, conversationID)
	if dixa.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for i, m := range messages {
		switch {
		case strings.HasPrefix(m.ExternalID, s.ref.ExternalIDPrefix(claim.StepConversation)):
			return true, nil
		// Match only the first message by its text, because later ones may mention
		// the claim. A message with another key of ours belongs to another claim.
		case i == 0 && !strings.HasPrefix(m.ExternalID, claim.ExternalIDPrefix) && mentions(m, s.ref.Reference()):
			return true, nil
		}
	}
	return false, nil
}

// mentions reports whether a message contains all words, wherever its type stores
// its text.
func mentions(m *dixa.Message, words ...string) bool {
	text, err := json.Marshal(m.Attributes)
	if err != nil {
		return false
	}
	for _, w := range words {
		if !strings.Contains(string(text), w) {
			return false
		}
	}
	return true
}

// diagnoseRefusal asks Dixa which of the objects that a create names is missing, because
// the refusal does not say. It returns nil if none is.
func (s *session) diagnoseRefusal(ctx context.Context, endUserID string, refusal error) error {
	e, ok := dixa.AsError(refusal)
	if !ok || e.Status != http.StatusBadRequest && e.Status != http.StatusNotFound {
		return nil
	}
	user, err := s.client.EndUsers.Get(ctx, endUserID)
	if dixa.IsNotFound(err) {
		intent, intentErr := s.store.Intents.Get(ctx, s.ref, customerStep(s.ticket.Revision))
		if intentErr == nil && !intent.DoneAt.IsZero() && time.Since(intent.DoneAt) <= s.window() {
			return retryable(claim.ErrorUnavailable, "the new customer is not visible in Dixa yet: "+err.Error(), err, 2*time.Second)
		}
		gone := err
		if err := s.store.Customers.Forget(ctx, s.work.ConnectionID, endUserID); err != nil {
			return fmt.Errorf("forget the customer: %w", err)
		}
		if err := s.store.Intents.Reopen(ctx, s.ref, customerStep(s.ticket.Revision)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("reopen the step that creates the customer: %w", err)
		}
		if intent.Try > 1 {
			return parked(claim.CauseCustomer, "Dixa does not find a customer that it created before: "+gone.Error())
		}
		return errCustomerGone
	}
	if _, err := s.client.ContactEndpoints.Get(ctx, s.ticket.EmailIntegrationID); dixa.IsNotFound(err) {
		return parked(claim.CauseContactEndpoint, "the mailbox in the settings is not a contact endpoint in the shop's Dixa")
	}
	if err == nil && user.Email == "" {
		return parked(claim.CauseNoEmail, "the customer has no email address, and Dixa rejected the email conversation: "+refusal.Error())
	}
	return nil
}
