package server

// conversationBody is Dixa's Conversation, the union of all channels. Mail always
// has FromEmail and ToEmail, even if the customer has no address.
type conversationBody struct {
	ID               int64           `json:"id"`
	RequesterID      string          `json:"requesterId"`
	Channel          string          `json:"channel"`
	CreatedAt        string          `json:"createdAt"`
	Direction        string          `json:"direction,omitempty"`
	State            string          `json:"state,omitempty"`
	StateUpdatedAt   string          `json:"stateUpdatedAt,omitempty"`
	AnonymizedAt     string          `json:"anonymizedAt,omitempty"`
	Assignment       *assignmentBody `json:"assignment,omitempty"`
	Queue            *queuedBody     `json:"queue,omitempty"`
	BrowserInfo      *BrowserInfo    `json:"browserInfo,omitempty"`
	ToEmail          *string         `json:"toEmail,omitempty"`
	FromEmail        *string         `json:"fromEmail,omitempty"`
	IntegrationEmail string          `json:"integrationEmail,omitempty"`
	FromNumber       string          `json:"fromNumber,omitempty"`
	ToNumber         string          `json:"toNumber,omitempty"`
	Language         string          `json:"language,omitempty"`
	Subject          string          `json:"subject,omitempty"`
	Link             *linkBody       `json:"link,omitempty"`
	CustomAttributes []attributeBody `json:"customAttributes,omitzero"`
	Type             string          `json:"_type"`
}

type assignmentBody struct {
	AgentID    string `json:"agentId"`
	AssignedAt string `json:"assignedAt"`
}

type queuedBody struct {
	ID       string `json:"id"`
	QueuedAt string `json:"queuedAt,omitempty"`
}

type linkBody struct {
	ParentID int64  `json:"parentId"`
	Type     string `json:"_type"`
}

func (s *Server) conversationBody(conversation *Conversation, withAttributes bool) conversationBody {
	body := conversationBody{
		ID: conversation.ID, RequesterID: conversation.RequesterID, Channel: conversation.Channel,
		CreatedAt: s.stamp(conversation.CreatedAt), Direction: conversation.Direction,
		State: conversation.State, StateUpdatedAt: s.stamp(conversation.StateUpdatedAt), Type: conversation.Type,
	}
	// The output union has no member for a Related link.
	if conversation.ParentID != 0 && conversation.LinkType != "Related" {
		body.Link = &linkBody{conversation.ParentID, conversation.LinkType}
	}
	if withAttributes {
		body.CustomAttributes = s.attributeBodies(conversation.Attributes)
	}
	if !conversation.AnonymizedAt.IsZero() {
		body.Type, body.AnonymizedAt = "AnonymizedConversation", s.stamp(conversation.AnonymizedAt)
		return body
	}
	if conversation.AssigneeID != "" {
		body.Assignment = &assignmentBody{conversation.AssigneeID, s.stamp(conversation.AssignedAt)}
	}
	if conversation.QueueID != "" {
		body.Queue = &queuedBody{ID: conversation.QueueID, QueuedAt: s.stamp(conversation.QueuedAt)}
	}
	switch conversation.Channel {
	case "Email", "ContactForm":
		from, to := conversation.FromAddress, conversation.ToAddress
		body.FromEmail, body.ToEmail = &from, &to
		body.IntegrationEmail = conversation.ContactPoint
		body.Language, body.Subject = conversation.Language, conversation.Subject
	case "WidgetChat":
		body.BrowserInfo, body.Language = conversation.BrowserInfo, conversation.Language
	case "Sms":
		body.FromNumber, body.ToNumber = conversation.FromAddress, conversation.ToAddress
	}
	return body
}
