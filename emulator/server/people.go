package server

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// personInput holds the request fields that end users and agents share. Nil means
// absent: a patch leaves the field unchanged, a replacement empties it.
type personInput struct {
	DisplayName            *string   `json:"displayName"`
	Email                  *string   `json:"email" validate:"omitempty,email"`
	PhoneNumber            *string   `json:"phoneNumber"`
	AdditionalEmails       *[]string `json:"additionalEmails" validate:"omitempty,unique,dive,email"`
	AdditionalPhoneNumbers *[]string `json:"additionalPhoneNumbers" validate:"omitempty,unique"`
	FirstName              *string   `json:"firstName"`
	LastName               *string   `json:"lastName"`
	MiddleNames            *[]string `json:"middleNames"`
	AvatarURL              *string   `json:"avatarUrl"`
}

// replaces reports whether the request replaces what it changes.
func (c *call) replaces() bool { return c.request.Method == http.MethodPut }

// patch returns person with the given fields replaced.
func (in personInput) patch(person Person) Person {
	set(&person.DisplayName, in.DisplayName)
	set(&person.Email, in.Email)
	set(&person.PhoneNumber, in.PhoneNumber)
	set(&person.AdditionalEmails, in.AdditionalEmails)
	set(&person.AdditionalPhoneNumbers, in.AdditionalPhoneNumbers)
	set(&person.FirstName, in.FirstName)
	set(&person.LastName, in.LastName)
	set(&person.MiddleNames, in.MiddleNames)
	set(&person.AvatarURL, in.AvatarURL)
	return person.tidy()
}

// replace returns a person with the given fields. It keeps only the id and creation
// time of person.
func (in personInput) replace(person Person) Person {
	return in.patch(Person{ID: person.ID, CreatedAt: person.CreatedAt})
}

func (p Person) tidy() Person {
	p.AdditionalEmails = append([]string{}, p.AdditionalEmails...)
	p.AdditionalPhoneNumbers = append([]string{}, p.AdditionalPhoneNumbers...)
	p.MiddleNames = append([]string{}, p.MiddleNames...)
	return p
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// rehosted replaces the avatar URL with that of a copy under /files/public/, as Dixa
// does.
func (s *Server) rehosted(c *call, person Person) Person {
	if person.AvatarURL != "" && !strings.Contains(person.AvatarURL, "/files/public/") {
		person.AvatarURL = c.origin + "/files/public/" + s.newID()
	}
	return person
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// clash returns Dixa's name for the error if another person already has one of
// person's addresses or phone numbers, or if a phone number is invalid. Otherwise it
// returns an empty string. An agent's address is taken for end users too.
func (s *Server) clash(person Person) string {
	for _, phone := range person.phones() {
		if s.switches.PhoneFormat == "e164" && !e164.MatchString(phone) {
			return "InvalidPhoneNumber"
		}
	}
	for other := range s.everyone {
		if other.ID == person.ID {
			continue
		}
		for _, email := range person.emails() {
			if slices.ContainsFunc(other.emails(), func(taken string) bool {
				return sameEmail(email, taken, s.switches.EmailUniqueness)
			}) {
				return "EmailExists"
			}
		}
		for _, phone := range person.phones() {
			if s.switches.DuplicatePhone == Rejected && slices.Contains(other.phones(), phone) {
				return "PhoneNumberExists"
			}
		}
	}
	return ""
}

func (s *Server) everyone(yield func(*Person) bool) {
	for _, agent := range s.state.Agents {
		if !yield(&agent.Person) {
			return
		}
	}
	for _, user := range s.state.EndUsers {
		if !yield(&user.Person) {
			return
		}
	}
}

func (p *Person) emails() []string { return withoutEmpty(p.Email, p.AdditionalEmails) }
func (p *Person) phones() []string { return withoutEmpty(p.PhoneNumber, p.AdditionalPhoneNumbers) }

func withoutEmpty(first string, rest []string) []string {
	if first == "" {
		return rest
	}
	return append([]string{first}, rest...)
}

func sameEmail(a, b, comparison string) bool {
	if comparison == CaseExact {
		return a == b
	}
	return strings.EqualFold(a, b)
}

// bulkInput is the request of most bulk operations.
type bulkInput[T any] struct {
	Data []T `json:"data" validate:"dive"`
}

// outcome is one item of a bulk response.
type outcome struct {
	Data  any        `json:"data,omitempty"`
	Error *bulkError `json:"error,omitempty"`
	Type  string     `json:"_type"`
}

type bulkError struct {
	ID      string `json:"id,omitempty"`
	Message string `json:"message"`
	Type    string `json:"_type,omitempty"`
}

func succeeded(value any) outcome { return outcome{Data: value, Type: "BulkActionSuccess"} }

func failed(kind, id, message string) outcome {
	return outcome{Error: &bulkError{ID: id, Message: message, Type: kind}, Type: "BulkActionFailure"}
}

func (s *Server) updateFailure(entity, id, clash string) string {
	return fmt.Sprintf("Updating %s [id=%s] in [org=%s] failed with [errors=%s]", entity, id, s.state.Organization.ID, clash)
}

func created(value any) (reply, error) { return data(http.StatusCreated, value) }
func ok(value any) (reply, error)      { return data(http.StatusOK, value) }
