package unified

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/claimflow/claimflow/dixa"
)

// Step is one write to Dixa: one of the types below.
type Step any

// Change is a request to write, as the steps that carry it out, in order.
type Change struct {
	// Method is [MethodCreate], [MethodUpdate] or [MethodDelete].
	Method          string
	Model, Resource string
	// ID is the object that the request names; empty for a create.
	ID    string
	Steps []Step
}

// File is a file of a message: at an address, or with its content.
type File struct {
	Name, URL, ContentType string
	Data                   []byte
}

// Steps of tickets. A ticket of 0 is the one that an earlier step opened.
type (
	// AddNote writes an internal note, which customers never see. AgentID is the
	// author; empty for Dixa's choice.
	AddNote struct {
		Ticket        int64
		Text, AgentID string
	}
	// AddMessage writes a message that the customer sees. An inbound one is from the
	// customer. Otherwise AgentID is the author; empty for the shop's default agent.
	AddMessage struct {
		Ticket           int64
		Inbound          bool
		AgentID          string
		Text, HTML       string
		Files            []File
		CC, BCC          []string
		IntegrationEmail string
	}
	// OpenTicket creates a conversation with its first message for the contact of the
	// step before. Mailbox is empty for the shop's.
	OpenTicket struct {
		Mailbox, Subject, Language string
		Message                    AddMessage
	}
	// SetTags gives a ticket exactly these tags.
	SetTags struct {
		Ticket int64
		Tags   []TagName
	}
	// SetTicketFields sets custom attributes of a ticket by their identifiers.
	SetTicketFields struct {
		Ticket int64
		Fields map[string]dixa.AttributeValue
	}
	// Reopen makes a ticket open.
	Reopen struct{ Ticket int64 }
	// Transfer moves a ticket to a queue.
	Transfer struct {
		Ticket  int64
		QueueID string
	}
	// Assign assigns a ticket to an agent, also if another agent has it.
	Assign struct {
		Ticket  int64
		AgentID string
	}
	// FollowUp makes a ticket pending until a time.
	FollowUp struct {
		Ticket int64
		Until  time.Time
	}
	// Close closes a ticket.
	Close struct{ Ticket int64 }
)

// TagName names a tag by its id, or by its name if the id is empty. Dixa creates a tag
// of a name that does not exist.
type TagName struct{ ID, Name string }

// Steps of contacts.
type (
	// FindContact finds the contact with the id, or with the address or number of
	// Input, or else creates it. It never changes one that exists.
	FindContact struct {
		ID    string
		Input dixa.EndUserInput
	}
	// CreateContact creates an end user.
	CreateContact struct{ Input dixa.EndUserInput }
	// UpdateContact changes the given values of an end user.
	UpdateContact struct {
		ID    string
		Input dixa.EndUserInput
	}
	// SetContactFields sets custom attributes of the end user by their identifiers. An
	// empty ID is the one that an earlier step created.
	SetContactFields struct {
		ID     string
		Fields map[string]dixa.AttributeValue
	}
	// Anonymize requests the anonymization of an end user. Dixa closes their
	// conversations.
	Anonymize struct{ ID string }
)

// Steps of tags.
type (
	// CreateTag creates a tag, or finds the one that has the name.
	CreateTag struct{ Input dixa.TagInput }
	// SetTagActive activates or deactivates a tag.
	SetTagActive struct {
		ID     string
		Active bool
	}
	// DeleteTag deletes a tag, also from all conversations.
	DeleteTag struct{ ID string }
)

// Steps of teams, queues and agents.
type (
	// CreateTeam creates a team.
	CreateTeam struct{ Name string }
	// DeleteTeam deletes a team.
	DeleteTeam struct{ ID string }
	// CreateQueue creates a queue.
	CreateQueue struct{ Input dixa.QueueInput }
	// ChangeMembers changes the agents of a team or, if Queue is set, of a queue. An
	// empty ID is the one that an earlier step created.
	ChangeMembers struct {
		Queue bool
		ID    string
		// All is the whole list, if Whole is set. Otherwise Add and Remove apply. An
		// empty id among them is the agent of an earlier step.
		Whole       bool
		All         []string
		Add, Remove []string
	}
	// CreateAgent creates an agent, or makes one again of a person who was one.
	CreateAgent struct{ Input dixa.AgentInput }
	// UpdateAgent changes the given values of an agent.
	UpdateAgent struct {
		ID    string
		Input dixa.AgentInput
	}
	// DowngradeAgent takes an agent's rights: Dixa makes an end user of the agent.
	DowngradeAgent struct{ ID string }
	// RestoreAgent makes a former agent an agent again, unless it is one.
	RestoreAgent struct{ ID string }
	// SetTeams puts an agent into exactly these teams. An empty AgentID is the agent
	// of an earlier step.
	SetTeams struct {
		AgentID string
		TeamIDs []string
	}
)

// writers parse the bodies of the methods that write.
var writers = map[string]map[string]func(in *input, id string) []Step{
	"ticketing/tickets":     {MethodCreate: createTicket, MethodUpdate: updateTicket},
	"ticketing/comments":    {MethodCreate: createComment},
	"ticketing/contacts":    {MethodCreate: createContact, MethodUpdate: updateContact},
	"ticketing/tags":        {MethodCreate: createTag, MethodUpdate: updateTag, MethodDelete: deleteTag},
	"ticketing/teams":       {MethodCreate: createTeam, MethodUpdate: updateTeam, MethodDelete: deleteTeam},
	"ticketing/collections": {MethodCreate: createQueue, MethodUpdate: updateQueue},
	"ticketing/users":       {MethodCreate: createUser, MethodUpdate: updateUser, MethodDelete: deleteUser},
	"user-directory/groups": {MethodCreate: createTeam, MethodUpdate: updateTeam, MethodDelete: deleteTeam},
	"user-directory/users":  {MethodCreate: createUser, MethodUpdate: updateUser, MethodDelete: deleteUser},
}

// Provisions reports whether writes to a resource change users, teams or queues, which
// needs another scope than writes to tickets.
func Provisions(model, resource string) bool {
	return model == ModelDirectory || slices.Contains([]string{"users", "teams", "collections"}, resource)
}

// ParseChange reads a request to write. method is [MethodCreate], [MethodUpdate] or
// [MethodDelete], and id is empty for a create. The error is an [*Error]: 404 for an
// unknown resource, 400 with every member of the body that is missing, unknown or wrong,
// and 501 if Dixa has no operation for the method or for a member.
func ParseChange(model, resource, method, id string, body []byte) (*Change, error) {
	r, err := ResourceOf(model, resource)
	if err != nil {
		return nil, err
	}
	if err := r.Refusal(method); err != nil {
		return nil, err
	}
	parse := writers[model+"/"+resource][method]
	if parse == nil {
		return nil, NewError(http.StatusNotImplemented, "The resource "+resource+" has no method "+method+".")
	}
	in, err := newInput(body)
	if err != nil {
		return nil, err
	}
	if method == MethodUpdate {
		if same := in.text("id"); same != "" && same != id {
			in.fault("id", "is not the id in the address")
		}
	}
	c := &Change{Method: method, Model: model, Resource: resource, ID: id}
	c.Steps = parse(in, id)
	in.end()
	if err := in.found.err(); err != nil {
		return nil, err
	}
	if len(c.Steps) == 0 {
		return nil, NewError(http.StatusBadRequest, "The body has nothing to write.")
	}
	return c, nil
}

// fieldsOf reads custom_fields: values by the identifiers of custom attributes. null
// clears one.
func (in *input) fieldsOf(name string) map[string]dixa.AttributeValue {
	o := in.object(name)
	if o == nil {
		return nil
	}
	fields := map[string]dixa.AttributeValue{}
	for _, identifier := range sortedKeys(o.members) {
		var v dixa.AttributeValue
		if err := json.Unmarshal(o.members[identifier], &v); err != nil || v.Other != nil {
			o.fault(identifier, "must be a text, a list of texts or null")
			continue
		}
		fields[identifier] = v
	}
	return fields
}

func (c *Change) String() string { return fmt.Sprintf("%s %s/%s", c.Method, c.Model, c.Resource) }
