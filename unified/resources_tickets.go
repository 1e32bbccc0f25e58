package unified

import "slices"

const (
	noEtag      = "Dixa has no versions of objects"
	noWorkspace = "a Dixa organization has no parts"
	// mapped says what categories are made of.
	mapped      = "the account's mapping, see GET /integrated-account/{id}/mappings"
	unknownTime = "Dixa does not say when the object changed"
	// ticketState are the operations that change a ticket, also a new one.
	ticketState = "POST /tags, PUT /conversations/{conversationId}/tags/{tagId}, " +
		"PATCH /conversations/{conversationId}/custom-attributes, PUT /conversations/{conversationId}/transfer/queue, " +
		"PUT /conversations/{conversationId}/claim, PUT /conversations/{conversationId}/followup, PUT /conversations/{conversationId}/close"
)

// personFields are those of a [PersonRef]. object is the agent or end user in Dixa.
func personFields(id, object string) []Property {
	return slices.Concat(
		native("id", id),
		derived("name", object+".displayName", "first_name", object+".firstName", "last_name", object+".lastName",
			"emails", object+".email and additionalEmails", "emails.email", object+".email and additionalEmails",
			"emails.type", "whether it is email or one of additionalEmails", "emails.is_primary", "whether it is email or one of additionalEmails",
			"phones", object+".phoneNumber and additionalPhoneNumbers", "phones.number", object+".phoneNumber and additionalPhoneNumbers",
			"phones.type", "whether it is phoneNumber or one of additionalPhoneNumbers"),
		missing("phones.extension", "Dixa's numbers have the E.164 format, which has no extensions", ""),
	)
}

// attachmentFields are those of an [Attachment] but remote_data.
func attachmentFields() []Property {
	return slices.Concat(
		derived("id", "message id and the place of the file in attributes.attachments"),
		derived("ticket_id", "conversation id of the message"),
		native("file_name", "attributes.attachments.prettyName"),
		derived("file_url", "an address of Claimflow that takes an API key: Dixa's own needs the organization's token",
			"content_type", "the ending of the file name",
			"uploaded_by", "author of the message", "uploaded_by.id", "authorId of the message", "uploaded_by.name", "displayName of the author",
			"uploaded_by_type", "attributes.direction of the message", "created_at", "createdAt of the message"),
		missing("size", "Dixa does not say it", "download the file: the response has a Content-Length",
			"updated_at", "files do not change", "created_at", "etag", noEtag, ""),
	)
}

// ticketResources are conversations and their contents.
func ticketResources() []*Resource {
	return []*Resource{
		{
			Model: ModelTicketing, Name: "tickets", Description: "Conversations.", new: func() Object { return new(Ticket) },
			Properties: slices.Concat(
				native("id", "id", "number", "id", "name", "subject"),
				derived("status", "state", "status.id", "state: AwaitingPending and Pending are both pending", "status.name", "state: AwaitingPending and Pending are both pending", "status.category", mapped),
				derived("assignees", "assignment, one at most"), below("assignees", personFields("assignment.agentId", "agent")),
				derived("created_by", "requesterId, for inbound conversations", "created_by.id", "requesterId", "created_by.name", "displayName of the end user", "created_by.type", "direction"),
				derived("contact", "requesterId"), below("contact", personFields("requesterId", "end user")),
				derived("collections", "queue and integrationEmail", "collections.id", "queue.id or integrationEmail", "collections.name", "name of the queue or contact endpoint", "collections.type", "whether it is a queue or contact endpoint", "collections.category", mapped),
				native("ticket_type", "channel", "ticket_type.id", "channel", "ticket_type.name", "channel"),
				derived("ticket_type.category", mapped),
				derived("tags", "the tags of the conversation", "tags.id", "tag id", "tags.name", "tag name"),
				derived("custom_fields", "customAttributes: value by identifier"),
				native("created_at", "createdAt"),
				derived("updated_at", "the newest time in the conversation, its messages and its activity log", "closed_at", "the last close in the activity log, while the conversation is closed"),
				remoteData("the conversation"),
				missing("description", "conversations have messages only", "list comments", "due_date", "Dixa has none", "",
					"workspace", noWorkspace, "", "team", "conversations are in queues, not in teams", "use collections",
					"conversations", "a ticket is one conversation", "", "additional_contacts", "conversations have one requester", "read the recipients of comments",
					"account", "end users belong to no company", "", "parent_ticket", "exports and events do not tell links", "read remote_data.link with live=true",
					"attachments", "files belong to messages", "list attachments with ticket_id", "priority", "Dixa has none", "use tags", "etag", noEtag, ""),
			),
			Methods: append(reads(
				&Method{Operations: []string{"POST /search/conversations", "GET /conversations/{conversationId}", "GET /conversations/{conversationId}/tags", "GET /conversations/{conversationId}/messages", "GET /conversations/{conversationId}/activitylog", "GET /agents", "GET /queues", "GET /contact-endpoints", "GET /endusers/{userId}", "GET /tags"}, filters: &Filters{
					Fields: map[string]FilterKind{
						"status.id": FilterText, "assignees.id": FilterText, "collections.id": FilterText, "contact.id": FilterText, "ticket_type.id": FilterText,
						"status.category": FilterText, "collections.category": FilterText, "ticket_type.category": FilterText,
						"tags.id": FilterText, "tags.name": FilterText, "created_at": FilterTime, "updated_at": FilterTime, "closed_at": FilterTime,
					},
					Aliases: map[string]string{"status": "status.id", "status.name": "status.id", "ticket_type": "ticket_type.id", "ticket_type.name": "ticket_type.id", "tags": "tags.name"},
					Values:  map[string][]string{"status.id": {"open", "pending", "closed"}},
					Sort:    []string{"created_at", "updated_at"},
					Remote:  []string{"query", "exactMatch"},
				}},
				&Method{Operations: []string{"GET /conversations/{conversationId}", "GET /conversations/{conversationId}/tags", "GET /conversations/{conversationId}/messages", "GET /conversations/{conversationId}/activitylog", "GET /agents", "GET /queues", "GET /contact-endpoints", "GET /endusers/{userId}"}},
			),
				can(MethodCreate, "POST /endusers, POST /conversations, "+ticketState),
				can(MethodUpdate, "DELETE /conversations/{conversationId}/tags/{tagId}, PUT /conversations/{conversationId}/reopen, "+ticketState),
				cannot(MethodDelete, "conversations cannot be deleted", "close the ticket, or anonymize its contact"),
			),
		},
		{
			Model: ModelTicketing, Name: "comments", Description: "Messages and internal notes of a conversation.", new: func() Object { return new(Comment) },
			Properties: slices.Concat(
				native("id", "id"), derived("ticket", "the conversation", "ticket.id", "conversation id"),
				derived("author", "authorId, and whether the message is automatic", "author.id", "authorId", "author.name", "displayName of the author", "author.type", "attributes.direction and isAutoReply: user, contact or system",
					"receiver", "requesterId of the conversation, for messages to the customer", "receiver.id", "requesterId", "receiver.name", "displayName of the end user", "receiver.type", "always contact"),
				derived("body", "the content, without markup", "is_internal", "whether it is a note", "is_private", "whether it is a note"),
				native("html_body", "the content, if it is HTML"),
				derived("attachments", "attributes.attachments"), below("attachments", attachmentFields()),
				derived("channel", "channel of the conversation", "channel.id", "channel of the conversation", "channel.name", "channel of the conversation", "channel.type", "channel of the conversation"),
				native("created_at", "createdAt"), remoteData("the message or note"),
				missing("updated_at", "messages do not change", "use created_at", "etag", noEtag, ""),
			),
			Methods: append(reads(
				&Method{Operations: []string{"GET /conversations/{conversationId}", "GET /conversations/{conversationId}/messages", "GET /conversations/{conversationId}/notes", "GET /agents", "GET /endusers/{userId}"}, filters: &Filters{
					Fields:  map[string]FilterKind{"ticket.id": FilterText, "is_private": FilterBool, "is_internal": FilterBool, "author.id": FilterText, "author.type": FilterText, "created_at": FilterTime},
					Aliases: map[string]string{"ticket_id": "ticket.id"}, Values: map[string][]string{"author.type": {AuthorUser, AuthorContact, AuthorSystem}},
					Sort: []string{"created_at"}, Ascending: true, Required: []string{"ticket_id"},
				}},
				&Method{Operations: []string{"GET /conversations/{conversationId}", "GET /conversations/{conversationId}/messages", "GET /conversations/{conversationId}/notes", "GET /agents", "GET /endusers/{userId}"}, Support: Derived, From: "the messages and notes of its ticket. Without a mirror, name the ticket by ticket_id", filters: &Filters{
					Fields: map[string]FilterKind{"ticket.id": FilterText}, Aliases: map[string]string{"ticket_id": "ticket.id"},
				}},
			),
				can(MethodCreate, "POST /conversations/{conversationId}/messages, POST /conversations/{conversationId}/notes"),
				cannot(MethodUpdate, "messages and notes cannot be changed", "add another comment"),
				cannot(MethodDelete, "messages and notes cannot be deleted", ""),
			),
		},
		{
			Model: ModelTicketing, Name: "attachments", Description: "Files of messages.", new: func() Object { return new(Attachment) },
			Properties: slices.Concat(attachmentFields(), remoteData("attributes.attachments of the message")),
			Methods: append(reads(
				&Method{Operations: []string{"GET /conversations/{conversationId}", "GET /conversations/{conversationId}/messages", "GET /conversations/{conversationId}/notes", "GET /agents", "GET /endusers/{userId}"}, Support: Derived, From: "the messages of a ticket", filters: &Filters{
					Fields:  map[string]FilterKind{"ticket_id": FilterText, "comment_id": FilterText},
					Aliases: map[string]string{"ticket.id": "ticket_id", "comment.id": "comment_id"}, Sort: []string{"created_at"}, Ascending: true, Required: []string{"ticket_id", "comment_id"},
				}},
				&Method{Operations: []string{"GET /conversations/{conversationId}", "GET /conversations/{conversationId}/messages", "GET /conversations/{conversationId}/notes", "GET /agents", "GET /endusers/{userId}"}, Support: Derived, From: "the message. Without a mirror, name its ticket by ticket_id", filters: &Filters{
					Fields: map[string]FilterKind{"ticket_id": FilterText}, Aliases: map[string]string{"ticket.id": "ticket_id"},
				}},
			),
				cannot(MethodCreate, "files are part of messages", "create a comment with attachments"),
				cannot(MethodUpdate, "files do not change", ""),
				cannot(MethodDelete, "files cannot be deleted", ""),
			),
		},
	}
}
