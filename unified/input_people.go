package unified

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/dixa"
)

// person is what a body says about a contact or user. Lists are nil if they are absent.
type person struct {
	name, first, last, email, phone, avatar string
	emails, phones                          []string
}

// person reads the members that contacts and users have in common.
func (in *input) person() person {
	p := person{name: in.text("name"), first: in.text("first_name"), last: in.text("last_name"), avatar: in.text("avatar")}
	p.email, p.emails = in.addresses("emails", "email")
	p.phone, p.phones = in.addresses("phones", "number")
	return p
}

// displayName is the name that a new person needs.
func (p person) displayName() string {
	return firstOf(p.name, strings.TrimSpace(p.first+" "+p.last), p.email, p.phone)
}

// addresses reads a list of addresses: the primary one, which is the first if none says
// so, and the others. Elements may be texts.
func (in *input) addresses(name, member string) (first string, others []string) {
	text := schemaOfType("string")
	in.describe(name, arrayOf(&bodySchema{Type: "object", Properties: map[string]any{member: text, "type": text, "is_primary": schemaOfType("boolean")}, Required: []string{member}}))
	elements, given := in.elements(name)
	if given {
		others = []string{}
	}
	for i, raw := range elements {
		var bare string
		if json.Unmarshal(raw, &bare) == nil {
			raw, _ = json.Marshal(map[string]string{member: bare}) //nolint:errchkjson // texts can be encoded
		}
		o := in.objectOf(indexed(name, i), raw)
		if o == nil {
			continue
		}
		value := strings.TrimSpace(o.required(member))
		kind := strings.ToLower(o.text("type"))
		primary, _ := o.flag("is_primary")
		if extension := o.text("extension"); extension != "" {
			o.fault("extension", "does not exist in Dixa; include it in the number")
		}
		o.end()
		if value == "" || value == first || slices.Contains(others, value) {
			continue
		}
		switch {
		case first == "":
			first = value
		case primary || kind == typePrimary:
			first, others = value, append(others, first)
		default:
			others = append(others, value)
		}
	}
	return first, others
}

func (p person) endUser() dixa.EndUserInput {
	return dixa.EndUserInput{
		DisplayName: p.name, FirstName: p.first, LastName: p.last, Email: p.email, PhoneNumber: p.phone,
		AdditionalEmails: p.emails, AdditionalPhoneNumbers: p.phones, AvatarURL: p.avatar,
	}
}

func (p person) agent() dixa.AgentInput {
	return dixa.AgentInput{
		DisplayName: p.name, FirstName: p.first, LastName: p.last, Email: p.email, PhoneNumber: p.phone,
		AdditionalEmails: p.emails, AdditionalPhoneNumbers: p.phones, AvatarURL: p.avatar,
	}
}

func createContact(in *input, _ string) []Step {
	p := in.person()
	external := in.text("external_id")
	fields := in.fieldsOf("custom_fields")
	in.cannot("Dixa's end users have none.", "account_id", "details")
	if p.email == "" && p.phone == "" && external == "" {
		in.missing("emails")
	}
	input := p.endUser()
	input.ExternalID, input.DisplayName = external, firstOf(p.displayName(), external)
	in.remote(&input)
	steps := []Step{CreateContact{input}}
	if len(fields) > 0 {
		steps = append(steps, SetContactFields{Fields: fields})
	}
	return steps
}

func updateContact(in *input, id string) []Step {
	p := in.person()
	external := in.text("external_id")
	fields := in.fieldsOf("custom_fields")
	anonymize, _ := in.flag("anonymize")
	in.cannot("Dixa's end users have none.", "account_id", "details")
	in.ignore("created_at", "updated_at", "etag", "is_active")
	input := p.endUser()
	input.ExternalID = external
	in.remote(&input)
	changes := !emptyEndUser(input)
	if anonymize {
		if changes || len(fields) > 0 {
			in.fault("anonymize", "must be the only member")
		}
		return []Step{Anonymize{id}}
	}
	var steps []Step
	if changes {
		steps = append(steps, UpdateContact{id, input})
	}
	if len(fields) > 0 {
		steps = append(steps, SetContactFields{id, fields})
	}
	return steps
}

func emptyEndUser(in dixa.EndUserInput) bool {
	return in.DisplayName+in.Email+in.PhoneNumber+in.FirstName+in.LastName+in.AvatarURL+in.ExternalID == "" &&
		in.AdditionalEmails == nil && in.AdditionalPhoneNumbers == nil && in.MiddleNames == nil
}

func emptyAgent(in dixa.AgentInput) bool {
	return in.DisplayName+in.Email+in.PhoneNumber+in.FirstName+in.LastName+in.AvatarURL == "" &&
		in.AdditionalEmails == nil && in.AdditionalPhoneNumbers == nil && in.MiddleNames == nil
}

// userState reads what a body says about a user besides the person: whether the user is
// active, and the teams. active is nil if it does not say.
func (in *input) userState() (active *bool, teams []string, inTeams bool) {
	if value, given := in.flag("is_active"); given {
		active = &value
	}
	switch status := in.text("status"); status {
	case "":
	case StatusActive, StatusInactive, StatusDeleted:
		value := status == StatusActive
		if active != nil && *active != value {
			in.fault("status", "contradicts is_active")
		}
		active = &value
	default:
		in.fault("status", "must be active or inactive")
	}
	teams, inTeams = in.texts("team_ids")
	if groups, given := in.refs("groups"); given {
		var ids []string
		for _, g := range groups {
			ids = append(ids, g.id)
		}
		if inTeams && !slices.Equal(slices.Sorted(slices.Values(ids)), slices.Sorted(slices.Values(teams))) {
			in.fault("groups", "contradicts team_ids")
		}
		teams, inTeams = ids, true
	}
	in.cannot("Dixa has no operation that assigns roles. Do it in Dixa, under Settings.", "roles")
	in.cannot("Dixa's agents have none.", "title", "external_id", "identifiers", "languages", "password", "is_email_verified", "is_2fa_enabled")
	return active, teams, inTeams
}

func createUser(in *input, _ string) []Step {
	p := in.person()
	username := in.text("username")
	active, teams, inTeams := in.userState()
	if p.email == "" {
		p.email = username
	}
	if p.name = firstOf(p.name, strings.TrimSpace(p.first+" "+p.last)); p.name == "" {
		in.missing("name")
	}
	if p.email == "" {
		in.missing("emails")
	}
	if username != "" && !strings.EqualFold(username, p.email) {
		in.fault("username", "must be the primary email address")
	}
	if active != nil && !*active {
		in.fault("is_active", "must be true: Dixa's agents are active")
	}
	queues := in.queues("")
	input := p.agent()
	in.remote(&input)
	steps := []Step{CreateAgent{input}}
	if inTeams && len(teams) > 0 {
		steps = append(steps, SetTeams{TeamIDs: teams})
	}
	return append(steps, queues...)
}

// updateUser reads an update. The address may be repeated, but not changed: the step
// compares it.
func updateUser(in *input, id string) []Step {
	p := in.person()
	username := in.text("username")
	active, teams, inTeams := in.userState()
	queues := in.queues(id)
	in.ignore("created_at", "updated_at", "etag")
	if username != "" && p.email != "" && !strings.EqualFold(username, p.email) {
		in.fault("username", "must be the primary email address")
	}
	if p.email == "" {
		p.email = username
	}
	input := p.agent()
	in.remote(&input)
	if active != nil && !*active {
		if inTeams && len(teams) > 0 {
			in.fault("team_ids", "must be empty for a user that is not active")
		}
		if len(queues) > 0 {
			in.fault("add_queue_ids", "and remove_queue_ids must be absent for a user that is not active")
		}
		return []Step{DowngradeAgent{id}}
	}
	var steps []Step
	if active != nil {
		steps = append(steps, RestoreAgent{id})
	}
	if !emptyAgent(input) {
		steps = append(steps, UpdateAgent{id, input})
	}
	if inTeams {
		steps = append(steps, SetTeams{id, teams})
	}
	return append(steps, queues...)
}

// queues reads the queues to put a user into and to take a user out of. Dixa has no
// operation that lists the queues of an agent, so there is no whole list.
func (in *input) queues(id string) []Step {
	add, _ := in.texts("add_queue_ids")
	remove, _ := in.texts("remove_queue_ids")
	if id == "" && len(remove) > 0 {
		in.fault("remove_queue_ids", "must be absent: a new user is in no queue")
	}
	var steps []Step
	for _, queue := range add {
		if slices.Contains(remove, queue) {
			in.fault("add_queue_ids", "and remove_queue_ids must not have the same queue")
		}
		steps = append(steps, ChangeMembers{Queue: true, ID: queue, Add: []string{id}})
	}
	for _, queue := range remove {
		steps = append(steps, ChangeMembers{Queue: true, ID: queue, Remove: []string{id}})
	}
	return steps
}

func deleteUser(_ *input, id string) []Step { return []Step{DowngradeAgent{id}} }
