package server

import "time"

// conversationExport is a row of GET /v1/conversation_export. Times are Unix
// milliseconds.
type conversationExport struct {
	ID                              int64    `json:"id"`
	CreatedAt                       *int64   `json:"created_at"`
	InitialChannel                  *string  `json:"initial_channel"`
	RequesterID                     *string  `json:"requester_id"`
	RequesterName                   *string  `json:"requester_name"`
	RequesterEmail                  *string  `json:"requester_email"`
	RequesterPhoneNumber            *string  `json:"requester_phone_number"`
	RequesterAdditionalEmails       []string `json:"requester_additional_emails"`
	RequesterAdditionalPhoneNumbers []string `json:"requester_additional_phone_numbers"`
	QueuedAt                        *int64   `json:"queued_at"`
	QueueID                         *string  `json:"queue_id"`
	QueueName                       *string  `json:"queue_name"`
	ClosedAt                        *int64   `json:"closed_at"`
	RatingScore                     *int     `json:"rating_score"`
	RatingMessage                   *string  `json:"rating_message"`
	Ratings                         []any    `json:"ratings"`
	Direction                       *string  `json:"direction"`
	AssignedAt                      *int64   `json:"assigned_at"`
	AssigneeID                      *string  `json:"assignee_id"`
	AssigneeName                    *string  `json:"assignee_name"`
	AssigneeEmail                   *string  `json:"assignee_email"`
	AssigneePhoneNumber             *string  `json:"assignee_phone_number"`
	ToProvisionedPhoneNumberID      *string  `json:"to_provisioned_phone_number_id"`
	ToProvisionedPhoneNumberName    *string  `json:"to_provisioned_phone_number_name"`
	FromProvisionedPhoneNumberID    *string  `json:"from_provisioned_phone_number_id"`
	FromProvisionedPhoneNumberName  *string  `json:"from_provisioned_phone_number_name"`
	TotalDuration                   *int64   `json:"total_duration"`
	HandlingDuration                *int64   `json:"handling_duration"`
	DixaEmailIntegrationID          *string  `json:"dixa_email_integration_id"`
	DixaEmailIntegrationSenderName  *string  `json:"dixa_email_integration_sender_name"`
	ForwardingEmail                 *string  `json:"forwarding_email"`
	FacebookPageID                  *string  `json:"facebook_page_id"`
	FacebookPageName                *string  `json:"facebook_page_name"`
	WidgetID                        *string  `json:"widget_id"`
	WidgetName                      *string  `json:"widget_name"`
	Tags                            []string `json:"tags"`
	TagsInfo                        []any    `json:"tags_info"`
	WrapupNotes                     []string `json:"conversation_wrapup_notes"`
	TransfereeName                  *string  `json:"transferee_name"`
	TransfereeNumber                *string  `json:"transferee_number"`
	TransferTime                    *int64   `json:"transfer_time"`
	OriginatingCountry              *string  `json:"originating_country"`
	Status                          *string  `json:"status"`
	UpdatedAt                       *int64   `json:"updated_at"`
	LastMessageCreatedAt            *int64   `json:"last_message_created_at"`
	Subject                         *string  `json:"subject"`
	AnonymizedAt                    *int64   `json:"anonymized_at"`
	CustomFields                    []any    `json:"custom_fields"`
}

type ratingExport struct {
	Score          *int    `json:"rating_score"`
	Message        *string `json:"rating_message"`
	Type           *string `json:"rating_type"`
	Status         *string `json:"rating_status"`
	Language       *string `json:"rating_language"`
	CreatedAt      *int64  `json:"rating_created_timestamp"`
	OfferedAt      *int64  `json:"rating_offered_timestamp"`
	ModifiedAt     *int64  `json:"rating_modified_timestamp"`
	RatedAt        *int64  `json:"rating_rated_timestamp"`
	ScheduledAt    *int64  `json:"rating_scheduled_timestamp"`
	ScheduledForAt *int64  `json:"rating_scheduled_for_timestamp"`
	UnscheduledAt  *int64  `json:"rating_unscheduled_timestamp"`
	CancelledAt    *int64  `json:"rating_cancelled_timestamp"`
}

type tagExport struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	IsDeactivated bool   `json:"is_deactivated"`
}

type fieldExport struct {
	AttributeID string  `json:"attribute_id"`
	Identifier  string  `json:"identifier"`
	Value       any     `json:"value"`
	DataType    *string `json:"data_type"`
	Archived    bool    `json:"archived"`
}

// conversationExport returns the row of a conversation.
func (s *Server) conversationExport(c *call, conversation *Conversation) conversationExport {
	row := conversationExport{
		ID: conversation.ID, CreatedAt: unixMillis(conversation.CreatedAt),
		InitialChannel: exportChannel(conversation), Direction: exportDirection(conversation.Direction),
		RequesterID:               exportText(conversation.RequesterID),
		RequesterAdditionalEmails: []string{}, RequesterAdditionalPhoneNumbers: []string{},
		QueuedAt: unixMillis(conversation.QueuedAt), QueueID: exportText(conversation.QueueID),
		ClosedAt:   unixMillis(c.exportedClose(conversation)),
		AssignedAt: unixMillis(conversation.AssignedAt), AssigneeID: exportText(conversation.AssigneeID),
		Ratings: []any{}, Tags: s.tagNames(conversation), TagsInfo: []any{}, WrapupNotes: []string{},
		Status: c.exportEnum(conversation.State), UpdatedAt: unixMillis(conversation.updatedAt()),
		LastMessageCreatedAt: unixMillis(conversation.lastMessageAt()), Subject: exportText(conversation.Subject),
		AnonymizedAt: unixMillis(conversation.AnonymizedAt), CustomFields: s.exportFields(c, conversation),
	}
	if requester := s.person(conversation.RequesterID); requester != nil && conversation.AnonymizedAt.IsZero() {
		row.RequesterName, row.RequesterEmail = exportText(requester.DisplayName), exportText(requester.Email)
		row.RequesterPhoneNumber = exportText(requester.PhoneNumber)
		row.RequesterAdditionalEmails = append([]string{}, requester.AdditionalEmails...)
		row.RequesterAdditionalPhoneNumbers = append([]string{}, requester.AdditionalPhoneNumbers...)
	}
	if assignee := s.person(conversation.AssigneeID); assignee != nil {
		row.AssigneeName, row.AssigneeEmail = exportText(assignee.DisplayName), exportText(assignee.Email)
		row.AssigneePhoneNumber = exportText(assignee.PhoneNumber)
	}
	if queue := s.queue(conversation.QueueID); queue != nil {
		row.QueueName = exportText(queue.Name)
	}
	for _, rating := range conversation.Ratings {
		row.Ratings = append(row.Ratings, c.omitted(c.ratingExport(rating)))
		if rating.Score != nil {
			row.RatingScore, row.RatingMessage = rating.Score, exportText(rating.Comment)
		}
	}
	for _, id := range conversation.TagIDs {
		if tag := s.tag(id); tag != nil {
			row.TagsInfo = append(row.TagsInfo, tagExport{tag.ID, tag.Name, tag.Inactive})
		}
	}
	for _, note := range conversation.Notes {
		row.WrapupNotes = append(row.WrapupNotes, s.noteText(note.Text))
	}
	if closed := c.exportedClose(conversation); !closed.IsZero() {
		row.TotalDuration = c.exportDuration(conversation.CreatedAt, closed)
		row.HandlingDuration = c.exportDuration(conversation.AssignedAt, closed)
	}
	s.exportContactPoint(&row, conversation)
	return row
}

// exportContactPoint sets the mailbox, number or widget of a row.
func (s *Server) exportContactPoint(row *conversationExport, conversation *Conversation) {
	endpoint, _ := s.contactEndpoint(conversation.ContactPoint)
	point, name := exportText(conversation.ContactPoint), exportText(endpoint.Name)
	switch conversation.Channel {
	case "Email", "ContactForm":
		row.DixaEmailIntegrationID, row.DixaEmailIntegrationSenderName = point, name
	case "WidgetChat":
		row.WidgetID = point
	case "Sms", "WhatsApp", "Callback", "PstnPhone":
		if conversation.Direction == Inbound {
			row.ToProvisionedPhoneNumberID, row.ToProvisionedPhoneNumberName = point, name
		} else {
			row.FromProvisionedPhoneNumberID, row.FromProvisionedPhoneNumberName = point, name
		}
	}
}

func (c *call) ratingExport(rating *Rating) ratingExport {
	row := ratingExport{
		Score: rating.Score, Message: exportText(rating.Comment),
		Type: c.exportEnum(rating.Type), Status: c.exportEnum(rating.Status), Language: exportText(rating.Language),
		CreatedAt: unixMillis(rating.createdAt()), OfferedAt: unixMillis(rating.OfferedAt),
		ModifiedAt: unixMillis(rating.modifiedAt()), RatedAt: unixMillis(rating.SubmittedAt),
		ScheduledAt: unixMillis(rating.ScheduledAt), ScheduledForAt: unixMillis(rating.ScheduledFor),
		UnscheduledAt: unixMillis(rating.UnscheduledAt), CancelledAt: unixMillis(rating.CancelledAt),
	}
	if rating.Type == "Csat" && c.switches.Exports.RatingTypes == "stars" {
		row.Type = exportText("stars")
	}
	return row
}

// exportFields returns a conversation's custom attributes as rows, in the order of
// their definitions.
func (s *Server) exportFields(c *call, conversation *Conversation) []any {
	fields := []any{}
	for _, definition := range s.state.Attributes {
		value, set := conversation.Attributes[definition.ID]
		if !set {
			continue
		}
		kind := "Text"
		if definition.isSelect() {
			kind = "Select"
		}
		fields = append(fields, fieldExport{
			definition.ID, definition.Identifier, value, c.exportEnum(kind), definition.IsArchived,
		})
	}
	return fields
}

// omitted applies the switch exports.empty to an object within a row.
func (c *call) omitted(item any) any {
	if c.switches.Exports.Empty == "omitted" {
		return withoutNulls(item)
	}
	return item
}

// exportDuration returns the time between two times in the unit set by the switch
// exports.durations, or nil if the first does not exist or is later.
func (c *call) exportDuration(from, to time.Time) *int64 {
	if from.IsZero() || from.After(to) {
		return nil
	}
	unit := time.Millisecond
	if c.switches.Exports.Durations == "seconds" {
		unit = time.Second
	}
	length := int64(to.Sub(from) / unit)
	return &length
}

// exportedClose returns a conversation's closed_at: its last close, which the switch
// exports.reopened may clear.
func (c *call) exportedClose(conversation *Conversation) time.Time {
	if c.switches.Exports.Reopened == "cleared" || conversation.LastClosedAt.IsZero() {
		return conversation.ClosedAt
	}
	return conversation.LastClosedAt
}

// updatedAt returns the time of the last change. State that an earlier version saved
// has only the times of its parts.
func (c *Conversation) updatedAt() time.Time {
	last := c.CreatedAt
	for _, t := range []time.Time{c.UpdatedAt, c.StateUpdatedAt} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

func (c *Conversation) lastMessageAt() time.Time {
	var last time.Time
	for _, message := range c.Messages {
		if message.CreatedAt.After(last) {
			last = message.CreatedAt
		}
	}
	return last
}
