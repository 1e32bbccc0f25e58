package server

import "strings"

// messageExport is a row of GET /v1/message_export. created_at is Unix milliseconds.
type messageExport struct {
	ID                string   `json:"id"`
	CSID              int64    `json:"csid"`
	CreatedAt         *int64   `json:"created_at"`
	InitialChannel    *string  `json:"initial_channel"`
	AuthorName        *string  `json:"author_name"`
	AuthorEmail       *string  `json:"author_email"`
	Direction         *string  `json:"direction"`
	Text              *string  `json:"text"`
	FromPhoneNumber   *string  `json:"from_phone_number"`
	ToPhoneNumber     *string  `json:"to_phone_number"`
	Duration          *int64   `json:"duration"`
	RecordingURL      *string  `json:"recording_url"`
	VoicemailURL      *string  `json:"voicemail_url"`
	To                []string `json:"to"`
	From              *string  `json:"from"`
	CC                []string `json:"cc"`
	BCC               []string `json:"bcc"`
	AttachedFiles     []string `json:"attached_files"`
	IsAutomated       bool     `json:"is_automated_message"`
	ChatInputQuestion *string  `json:"chat_input_question"`
	ChatInputAnswer   *string  `json:"chat_input_answer"`
	ChatMenuText      *string  `json:"chat_menu_text"`
	FormSubmission    any      `json:"form_submission"`
}

// messageExport returns the row of a message.
func (s *Server) messageExport(c *call, conversation *Conversation, message *Message) messageExport {
	row := messageExport{
		ID: message.ID, CSID: conversation.ID, CreatedAt: unixMillis(message.CreatedAt),
		InitialChannel: exportChannel(conversation), Direction: exportDirection(message.Direction),
		From: exportText(message.From.Email), To: exportAddresses(message.To),
		CC: exportAddresses(message.CC), BCC: exportAddresses(message.BCC),
		AttachedFiles: []string{}, IsAutomated: message.AutoReply,
	}
	if message.Content != nil {
		text := message.Content.Value
		if message.Content.Type == "Html" && c.switches.Exports.HTMLText == "text" {
			text = markup.ReplaceAllString(text, "")
		}
		row.Text = exportText(text)
	}
	hidden := !conversation.AnonymizedAt.IsZero() && message.Direction == Inbound
	if author := s.person(message.AuthorID); author != nil && !hidden {
		row.AuthorName, row.AuthorEmail = exportText(author.DisplayName), exportText(author.Email)
	}
	if conversation.Channel == "Sms" || conversation.Channel == "PstnPhone" {
		row.FromPhoneNumber, row.ToPhoneNumber = exportText(conversation.FromAddress), exportText(conversation.ToAddress)
		if message.Direction != conversation.Direction {
			row.FromPhoneNumber, row.ToPhoneNumber = row.ToPhoneNumber, row.FromPhoneNumber
		}
	}
	for _, file := range message.Attachments {
		row.AttachedFiles = append(row.AttachedFiles, s.fileLink(c.origin, file.Path))
	}
	return row
}

func exportAddresses(contacts []Contact) []string {
	return each(contacts, func(contact Contact) string { return contact.Email })
}

// exportChannel writes a conversation's channel as published rows do, such as
// widgetchat.
func exportChannel(conversation *Conversation) *string {
	return exportText(strings.ToLower(conversation.Channel))
}

// exportDirection writes a direction as published rows do, such as inbound.
func exportDirection(direction string) *string { return exportText(strings.ToLower(direction)) }
