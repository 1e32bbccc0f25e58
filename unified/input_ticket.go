package unified

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

func parseTicketID(id string) (int64, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil && n > 0 && !strings.HasPrefix(id, "+")
}

// createTicket opens an email conversation. Its first message is from the contact,
// unless created_by names a user: then it is sent to the contact.
func createTicket(in *input, _ string) []Step {
	contact := in.contactRef()
	open := OpenTicket{Subject: in.required("name")}
	open.Message = AddMessage{Text: in.text("description"), HTML: in.text("html_description"), Inbound: true, Files: in.files("attachments")}
	if strings.TrimSpace(open.Message.Text+open.Message.HTML) == "" {
		in.missing("description")
	}
	if by, given := in.ref("created_by"); given {
		switch by.kind {
		case AuthorContact:
		case AuthorUser:
			open.Message.Inbound, open.Message.AgentID = false, by.id
		default:
			in.fault("created_by.type", "must be user, to write to the contact, or contact")
		}
	}
	if kind, given := in.ref("ticket_type"); given && !strings.EqualFold(firstOf(kind.id, kind.name), string(dixa.ChannelEmail)) {
		in.found.unsupported.add("ticket_type", "Dixa creates conversations of other channels only from their own channel. Use "+string(dixa.ChannelEmail)+".")
	}
	queue := ""
	collections, _ := in.refs("collections")
	for _, c := range collections {
		switch c.kind {
		case CollectionEndpoint:
			if open.Mailbox != "" {
				in.fault("collections", "must have one contact endpoint at most")
			}
			open.Mailbox = c.id
		case CollectionQueue:
			if queue != "" {
				in.fault("collections", "must have one queue at most")
			}
			queue = c.id
		default:
			in.fault("collections", "must say their type: %s or %s", CollectionQueue, CollectionEndpoint)
		}
	}
	var remote struct {
		Language string `json:"language"`
	}
	in.remote(&remote)
	open.Language = remote.Language
	steps := []Step{contact, open}
	return append(steps, in.ticketState(0, queue)...)
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// contactRef reads the contact of a new ticket: by id, or by what finds or creates it.
func (in *input) contactRef() FindContact {
	o := in.object("contact")
	if o == nil {
		if len(in.found.faults) == 0 {
			in.missing("contact")
		}
		return FindContact{}
	}
	c := FindContact{ID: o.text("id")}
	if c.ID != "" {
		o.ignore("name", "first_name", "last_name", "emails", "phones")
		o.end()
		return c
	}
	person := o.person()
	if person.email == "" && person.phone == "" {
		o.missing("emails")
	}
	c.Input = person.endUser()
	c.Input.DisplayName = person.displayName()
	o.end()
	return c
}

func updateTicket(in *input, id string) []Step {
	ticket, ok := parseTicketID(id)
	if !ok {
		in.fault("id", "is not the id of a ticket")
	}
	in.cannot("Dixa has no operation that changes the subject or the first message of a conversation.", "name", "description", "html_description", "attachments")
	in.cannot("Dixa has no operation that changes the contact of a conversation.", "contact")
	in.cannot("Dixa has no operation that changes the channel of a conversation.", "ticket_type")
	queue := ""
	collections, given := in.refs("collections")
	for _, c := range collections {
		if c.kind == CollectionEndpoint {
			continue // clients send back what they read, and it cannot change
		}
		if queue != "" {
			in.fault("collections", "must have one queue at most")
		}
		queue = c.id
	}
	if given && queue == "" && len(collections) == 0 {
		in.found.unsupported.add("collections", "Dixa has no operation that takes a conversation out of its queue. Move it to another one.")
	}
	in.ignore("created_by", "created_at", "updated_at", "closed_at", "number", "etag", "remote_data")
	return in.ticketState(ticket, queue)
}

// ticketState reads what can change of a ticket. The order of the steps is such that
// none undoes another: a transfer ends an assignment, and both may need an open ticket.
func (in *input) ticketState(ticket int64, queue string) []Step {
	in.cannot("Dixa's conversations have no priority.", "priority")
	in.cannot("Dixa assigns conversations to agents and queues, not to teams.", "team")
	in.cannot("Dixa has no operation for it.", "account", "workspace", "parent_ticket", "additional_contacts", "organization", "type")
	var steps []Step
	if fields := in.fieldsOf("custom_fields"); len(fields) > 0 {
		steps = append(steps, SetTicketFields{ticket, fields})
	}
	if tags, given := in.tagNames("tags"); given && (ticket != 0 || len(tags) > 0) {
		steps = append(steps, SetTags{ticket, tags})
	}
	status, until := in.status()
	if status == claim.ConversationOpen && ticket != 0 {
		steps = append(steps, Reopen{ticket})
	}
	if queue != "" {
		steps = append(steps, Transfer{ticket, queue})
	}
	if assignees, given := in.refs("assignees"); given {
		switch {
		case len(assignees) > 1:
			in.fault("assignees", "must be one: Dixa assigns a conversation to one agent")
		case len(assignees) == 1 && assignees[0].id == "":
			in.fault("assignees[0]", "must have an id")
		case len(assignees) == 1:
			steps = append(steps, Assign{ticket, assignees[0].id})
		case ticket != 0 && queue == "":
			in.found.unsupported.add("assignees", "Dixa has no operation that takes a conversation from its agent. Move it to a queue with collections.")
		}
	}
	switch status {
	case claim.ConversationPending:
		steps = append(steps, FollowUp{ticket, until})
	case claim.ConversationClosed:
		steps = append(steps, Close{ticket})
	}
	return steps
}

// status reads the wanted state and, for pending, until when.
func (in *input) status() (status claim.ConversationStatus, until time.Time) {
	r, given := in.ref("status")
	status = claim.ConversationStatus(strings.ToLower(firstOf(r.id, r.name)))
	until = in.instant("due_date")
	switch {
	case !given:
		if !until.IsZero() {
			in.fault("due_date", "requires the status pending")
		}
	case status == claim.ConversationPending:
		if until.IsZero() {
			in.missing("due_date")
		}
	case status == claim.ConversationOpen, status == claim.ConversationClosed:
		if !until.IsZero() {
			in.fault("due_date", "requires the status pending")
		}
	default:
		in.fault("status", "must be open, pending or closed")
	}
	return status, until
}

// tagNames reads tags: objects with an id or a name, or names alone.
func (in *input) tagNames(name string) (all []TagName, given bool) {
	in.describe(name, arrayOf(schemaOfReference()))
	elements, given := in.elements(name)
	for i, raw := range elements {
		var tag TagName
		if json.Unmarshal(raw, &tag.Name) != nil {
			r := in.refOf(indexed(name, i), raw)
			tag = TagName{r.id, r.name}
		}
		if !slices.Contains(all, tag) {
			all = append(all, tag)
		}
	}
	return all, given
}
