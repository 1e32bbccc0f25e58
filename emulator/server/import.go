package server

import (
	"cmp"
	"net/http"
	"time"

	"github.com/google/uuid"
)

type importInput struct {
	Type        string          `json:"_type" validate:"omitempty,eq=GenericConversationImport"`
	Channel     string          `json:"genericChannelName" validate:"required"`
	RequesterID string          `json:"requesterId" validate:"required,uuid"`
	Status      string          `json:"requesterConnectionStatus" validate:"omitempty,oneof=Connected Disconnected"`
	Direction   string          `json:"direction" validate:"required,oneof=Inbound Outbound"`
	Messages    []importMessage `json:"messages" validate:"dive"`
	CreatedAt   *instant        `json:"createdAt" validate:"required"`
	Assignment  *struct {
		AgentID    string   `json:"agentId" validate:"required,uuid"`
		AssignedAt *instant `json:"assignedAt" validate:"required"`
	} `json:"assignment"`
	ExternalID string `json:"externalId"`
	Closing    *struct {
		ClosedAt *instant `json:"closedAt" validate:"required"`
		ClosedBy string   `json:"closedBy" validate:"required,uuid"`
	} `json:"closing"`
	Attributes importAttributes `json:"attributes"`
}

type importMessage struct {
	Type        string           `json:"_type" validate:"required,oneof=InboundImport OutboundImport"`
	Content     *contentInput    `json:"content" validate:"required"`
	AgentID     string           `json:"agentId" validate:"required_if=Type OutboundImport,omitempty,uuid"`
	Attachments []fileInput      `json:"attachments" validate:"dive"`
	ExternalID  string           `json:"externalId"`
	CreatedAt   *instant         `json:"createdAt" validate:"required"`
	Attributes  importAttributes `json:"attributes"`
}

type importAttributes struct {
	EmailIntegrationID string   `json:"emailIntegrationId"`
	Subject            string   `json:"subject"`
	CC                 []string `json:"cc"`
	BCC                []string `json:"bcc"`
	RequesterID        string   `json:"requesterId"`
}

type partialError struct {
	Message string `json:"message"`
}

// importConversation creates a conversation with its history. Errors in parts of it
// are reported next to the id.
func (s *Server) importConversation(c *call, input importInput) (reply, error) {
	requester := s.endUser(input.RequesterID)
	if requester == nil {
		return reply{}, bad("Requester does not exist")
	}
	conversation := &Conversation{
		Type: "GenericConversation", Channel: "Messenger", Origin: originImport, RequesterID: requester.ID,
		Direction: input.Direction, State: StateOpen, StateUpdatedAt: input.CreatedAt.Time, CreatedAt: input.CreatedAt.Time,
		VisibleAt:  c.now.Add(time.Duration(c.switches.ListLag)),
		ExternalID: input.ExternalID, Subject: input.Attributes.Subject,
		TagIDs: []string{}, Messages: []*Message{}, Notes: []*Note{}, Ratings: []*Rating{},
	}
	switch input.Channel {
	case "email":
		endpoint, found := s.contactEndpoint(input.Attributes.EmailIntegrationID)
		if !found || endpoint.Address == "" || requester.Email == "" && c.switches.RequesterWithoutEmail == Rejected {
			return reply{}, bad("Invalid input for Message")
		}
		conversation.Type, conversation.Channel, conversation.ContactPoint = "EmailConversation", "Email", endpoint.Address
		conversation.FromAddress, conversation.ToAddress = requester.Email, endpoint.Address
	case "genericapimessaging":
	default:
		return reply{}, bad("Unsupported ConversationChannel")
	}
	for _, message := range input.Messages {
		if message.Type == "OutboundImport" && s.agent(message.AgentID) == nil {
			return reply{}, bad("Agent does not exist")
		}
	}

	at := *c
	at.now = input.CreatedAt.Time
	s.begin(&at, conversation)
	partial := []partialError{}
	for _, message := range input.Messages {
		partial = append(partial, s.importMessage(c, conversation, message)...)
	}
	if input.Assignment != nil {
		if agent := s.agent(input.Assignment.AgentID); agent != nil {
			at.now = input.Assignment.AssignedAt.Time
			s.assign(&at, conversation, agent.ID, agent.ID, "ConversationAssigned")
		} else {
			partial = append(partial, partialError{"The conversation could not be assigned"})
		}
	}
	if input.Closing != nil {
		if agent := s.agent(input.Closing.ClosedBy); agent != nil {
			at.now = input.Closing.ClosedAt.Time
			s.shut(&at, conversation, agent.ID)
		} else {
			partial = append(partial, partialError{"The conversation could not be closed"})
		}
	}
	conversation.UpdatedAt = c.now // its history is older than the conversation in Dixa
	body := map[string]any{"id": conversation.ID}
	if len(partial) > 0 {
		body["partialErrors"] = partial
	}
	return data(http.StatusCreated, body)
}

func (s *Server) importMessage(c *call, conversation *Conversation, input importMessage) []partialError {
	message := &Message{
		ID: s.newID(), AuthorID: conversation.RequesterID, ExternalID: input.ExternalID, Direction: Inbound,
		CreatedAt: input.CreatedAt.Time, VisibleAt: c.now.Add(time.Duration(c.switches.ListLag)),
		Content: &Content{input.Content.Type, *input.Content.Value}, Attachments: []File{},
		To: []Contact{}, CC: []Contact{}, BCC: []Contact{},
	}
	if input.Type == "OutboundImport" {
		message.Direction, message.AuthorID = Outbound, s.agent(input.AgentID).ID
	} else if author := s.endUser(input.Attributes.RequesterID); author != nil {
		message.AuthorID = author.ID
	}
	if conversation.mail() {
		s.address(conversation, message, conversation.ContactPoint)
		for _, address := range input.Attributes.CC {
			message.CC = append(message.CC, Contact{Email: address})
		}
		for _, address := range input.Attributes.BCC {
			message.BCC = append(message.BCC, Contact{Email: address})
		}
	}
	s.takeExternalID(conversation, input.ExternalID)
	then := *c
	then.now = message.CreatedAt
	var partial []partialError
	files, err := s.storeAttachments(c, input.Attachments)
	if err != nil {
		partial = append(partial, partialError{"Invalid attachment url in message. externalId: " + input.ExternalID})
	} else {
		message.Attachments = files
	}
	s.append(&then, conversation, message)
	return partial
}

// listFlows returns a phone flow for each number or a mail flow for each mailbox.
// Flows themselves are not emulated.
func (s *Server) listFlows(c *call) (reply, error) {
	channel := cmp.Or(c.query.Get("channel"), "PstnPhone")
	flows := []map[string]string{}
	for i, endpoint := range s.state.ContactEndpoints {
		contact := endpoint.Number
		if channel == "Email" || channel == "ContactForm" {
			contact = endpoint.Address
		}
		if contact == "" {
			continue
		}
		flows = append(flows, map[string]string{
			"id": flowID(i), "name": endpoint.Name, "channel": channel, "contactEndpointId": contact,
		})
	}
	return ok(flows)
}

func flowID(i int) string { return uuid.NewSHA1(uuid.NameSpaceOID, []byte{byte(i)}).String() }
