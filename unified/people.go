package unified

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

const (
	typePrimary    = "primary"
	typeAdditional = "additional"
)

func emails(first string, others []string) []Email {
	all := []Email{}
	if first != "" {
		all = append(all, Email{Email: first, Type: typePrimary, IsPrimary: true})
	}
	for _, e := range others {
		all = append(all, Email{Email: e, Type: typeAdditional})
	}
	return all
}

func phones(first string, others []string) []Phone {
	all := []Phone{}
	if first != "" {
		all = append(all, Phone{Number: first, Type: typePrimary})
	}
	for _, n := range others {
		all = append(all, Phone{Number: n, Type: typeAdditional})
	}
	return all
}

// personRef refers to an agent or end user. The name is used if the directory does not
// know the person.
func personRef(names Names, kind mirror.DirectoryKind, id, name string) PersonRef {
	ref := PersonRef{ID: id, Name: text(name), Emails: []Email{}, Phones: []Phone{}}
	e, known := names.Entry(kind, id)
	if !known {
		return ref
	}
	if e.Name != "" {
		ref.Name = &e.Name
	}
	// Agents and end users have the same members.
	var p struct {
		FirstName              string   `json:"firstName"`
		LastName               string   `json:"lastName"`
		Email                  string   `json:"email"`
		PhoneNumber            string   `json:"phoneNumber"`
		AdditionalEmails       []string `json:"additionalEmails"`
		AdditionalPhoneNumbers []string `json:"additionalPhoneNumbers"`
	}
	if json.Unmarshal(e.Object, &p) == nil {
		ref.FirstName, ref.LastName = text(p.FirstName), text(p.LastName)
		ref.Emails, ref.Phones = emails(p.Email, p.AdditionalEmails), phones(p.PhoneNumber, p.AdditionalPhoneNumbers)
	}
	return ref
}

// decode decodes Dixa's object of an entry.
func decode[T any](e mirror.DirectoryEntry) (*T, error) {
	out := new(T)
	if err := json.Unmarshal(e.Object, out); err != nil {
		return nil, fmt.Errorf("decode the stored %s %s: %w", e.Kind, e.ID, err)
	}
	return out, nil
}

// ContactOf returns an end user as a contact.
func ContactOf(e mirror.DirectoryEntry) (*Contact, error) {
	u, err := decode[dixa.EndUser](e)
	if err != nil {
		return nil, err
	}
	c := &Contact{
		ID: e.ID, Name: text(u.DisplayName), FirstName: text(u.FirstName), LastName: text(u.LastName),
		Emails: emails(u.Email, u.AdditionalEmails), Phones: phones(u.PhoneNumber, u.AdditionalPhoneNumbers),
		Avatar: text(u.AvatarURL), ExternalID: text(u.ExternalID), Fields: map[string]json.RawMessage{},
		CreatedAt: instant(u.CreatedAt.Time), RemoteData: e.Object,
	}
	for _, a := range u.CustomAttributes {
		value, err := a.Value.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("encode the attribute %s of contact %s: %w", a.ID, e.ID, err)
		}
		c.Fields[a.Identifier] = value
	}
	return c, nil
}

// UserOf returns an agent as a user. teams are all teams. gone says that Dixa no longer
// lists the agent.
func UserOf(e mirror.DirectoryEntry, teams []mirror.DirectoryEntry, gone bool) (*User, error) {
	a, err := decode[dixa.Agent](e)
	if err != nil {
		return nil, err
	}
	u := &User{
		ID: e.ID, Name: text(a.DisplayName), FirstName: text(a.FirstName), LastName: text(a.LastName), Username: text(a.Email),
		Emails: emails(a.Email, a.AdditionalEmails), Phones: phones(a.PhoneNumber, a.AdditionalPhoneNumbers), Avatar: text(a.AvatarURL),
		IsActive: !gone, Status: StatusActive, TeamIDs: []string{}, Groups: []Ref{}, Roles: []Ref{},
		CreatedAt: instant(a.CreatedAt.Time), RemoteData: e.Object,
	}
	if gone {
		u.Status = StatusDeleted
	}
	for _, t := range teams {
		if slices.Contains(t.MemberIDs, e.ID) {
			u.TeamIDs = append(u.TeamIDs, t.ID)
			u.Groups = append(u.Groups, Ref{ID: t.ID, Name: text(t.Name)})
		}
	}
	for _, role := range a.Roles {
		u.Roles = append(u.Roles, Ref{ID: role, Name: &role})
	}
	return u, nil
}

// Values of the status of a user and of a tag.
const (
	StatusActive   = "active"
	StatusInactive = "inactive"
	StatusDeleted  = "deleted"
)

// RolesOf returns the roles that agents have, sorted by name.
func RolesOf(agents []mirror.DirectoryEntry) ([]*Role, error) {
	seen := map[string]bool{}
	for _, e := range agents {
		a, err := decode[dixa.Agent](e)
		if err != nil {
			return nil, err
		}
		for _, role := range a.Roles {
			seen[role] = true
		}
	}
	roles := []*Role{}
	for _, name := range sortedKeys(seen) {
		roles = append(roles, &Role{ID: name, Name: name, ApplicableIn: "workspace"})
	}
	return roles, nil
}
