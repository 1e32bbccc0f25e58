package server

// messageBody is an item of GET /conversations/{conversationId}/messages.
type messageBody struct {
	ID         string `json:"id"`
	AuthorID   string `json:"authorId"`
	ExternalID string `json:"externalId,omitempty"`
	CreatedAt  string `json:"createdAt"`
	Attributes any    `json:"attributes"`
}

type fileBody struct {
	URL        string `json:"url"`
	PrettyName string `json:"prettyName,omitempty"`
}

type emailContentBody struct {
	Content *Content  `json:"content,omitempty"`
	File    *fileBody `json:"file,omitempty"`
	Type    string    `json:"_type"`
}

type emailAttributes struct {
	EmailContent       emailContentBody `json:"emailContent"`
	From               Contact          `json:"from"`
	To                 []Contact        `json:"to"`
	CC                 []Contact        `json:"cc"`
	BCC                []Contact        `json:"bcc"`
	IsAutoReply        bool             `json:"isAutoReply"`
	InlineImages       []fileBody       `json:"inlineImages"`
	Attachments        []fileBody       `json:"attachments"`
	Direction          string           `json:"direction"`
	OriginalContentURL fileBody         `json:"originalContentUrl"`
	Type               string           `json:"_type"`
}

type textAttributes struct {
	Content     *Content   `json:"content,omitempty"`
	Direction   string     `json:"direction"`
	Attachments []fileBody `json:"attachments"`
	IsAutomated *bool      `json:"isAutomated,omitempty"`
	Type        string     `json:"_type"`
}

// phoneAttributes describe a call. It has no content.
type phoneAttributes struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Direction string `json:"direction"`
	Type      string `json:"_type"`
}

func (s *Server) messageBody(c *call, conversation *Conversation, message *Message) messageBody {
	attachments := []fileBody{}
	for _, file := range message.Attachments {
		attachments = append(attachments, fileBody{s.fileLink(c.origin, file.Path), file.PrettyName})
	}
	body := messageBody{
		ID: message.ID, AuthorID: message.AuthorID, ExternalID: message.ExternalID, CreatedAt: s.zoned(message.CreatedAt),
	}
	if conversation.mail() {
		content := emailContentBody{Content: message.Content, Type: "Regular"}
		if message.Content != nil && len(message.Content.Value) > s.switches.LargeContentBytes {
			content = emailContentBody{
				File: &fileBody{s.fileLink(c.origin, s.contentPath("email_stripped_content", message)), "large-email-content"},
				Type: "TooLarge",
			}
		}
		body.Attributes = emailAttributes{
			EmailContent: content, From: message.From, To: message.To, CC: message.CC, BCC: message.BCC,
			IsAutoReply: message.AutoReply, InlineImages: []fileBody{}, Attachments: attachments,
			Direction:          message.Direction,
			OriginalContentURL: fileBody{URL: s.fileLink(c.origin, s.contentPath("email_original_data", message))},
			Type:               "EmailAttributes",
		}
		return body
	}
	if conversation.Channel == "PstnPhone" {
		call := phoneAttributes{conversation.FromAddress, conversation.ToAddress, message.Direction, "PhoneAttributes"}
		if message.Direction != conversation.Direction {
			call.From, call.To = call.To, call.From
		}
		body.Attributes = call
		return body
	}
	attributes := textAttributes{Content: message.Content, Direction: message.Direction, Attachments: attachments}
	switch conversation.Channel {
	case "Sms", "WhatsApp":
		attributes.Type = conversation.Channel + "Attributes"
	case "WidgetChat":
		attributes.Type, attributes.IsAutomated = "ChatAttributes", &message.AutoReply
	default:
		attributes.Type = "GenericAttributes"
	}
	body.Attributes = attributes
	return body
}
