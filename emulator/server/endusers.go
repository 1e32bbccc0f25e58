package server

import (
	"slices"
	"time"
	"unicode/utf8"
)

// endUserBody is Dixa's EndUser. A nil CustomAttributes omits the attributes, as the
// list does.
type endUserBody struct {
	ID               string          `json:"id"`
	CreatedAt        string          `json:"createdAt"`
	Person                           // its other fields
	ExternalID       string          `json:"externalId,omitempty"`
	CustomAttributes []attributeBody `json:"customAttributes,omitzero"`
}

func (s *Server) endUserBody(user *EndUser, withAttributes bool) endUserBody {
	body := endUserBody{ID: user.ID, CreatedAt: seconds(user.CreatedAt), Person: user.Person, ExternalID: user.ExternalID}
	if withAttributes {
		body.CustomAttributes = s.attributeBodies(user.Attributes)
	}
	return body
}

type endUserInput struct {
	personInput
	ExternalID *string `json:"externalId"`
}

type endUserChange struct {
	ID string `json:"id" validate:"required,uuid"`
	endUserInput
}

func (s *Server) pathEndUser(c *call) (*EndUser, error) { return named(c, "userId", s.endUser) }

func (s *Server) listEndUsers(c *call) (reply, error) {
	email, phone, externalID := c.filter("email"), c.filter("phone"), c.filter("externalId")
	given := 0
	for _, filter := range []string{email, phone, externalID} {
		if filter != "" {
			given++
		}
	}
	if given > 1 {
		return reply{}, bad("Invalid filters: Cannot provide more than one filter")
	}
	matches := []endUserBody{}
	for _, user := range s.state.EndUsers {
		if user.VisibleAt.After(c.now) {
			continue
		}
		switch {
		case email != "" && !s.emailMatches(user, email),
			phone != "" && !slices.Contains(user.phones(), phone),
			externalID != "" && user.ExternalID != externalID:
			continue
		}
		matches = append(matches, s.endUserBody(user, false))
	}
	if len(matches) == 0 && given > 0 && c.switches.NoEndUser == "404" {
		return reply{}, notFound()
	}
	return page(c, "/endusers", 1000, inOrder(s, matches))
}

func (s *Server) emailMatches(user *EndUser, email string) bool {
	addresses := []string{user.Email}
	if s.switches.EmailFilterAdditional {
		addresses = user.emails()
	}
	return slices.ContainsFunc(addresses, func(address string) bool {
		return sameEmail(address, email, s.switches.EmailFilter)
	})
}

func (s *Server) createEndUser(c *call, input endUserInput) (reply, error) {
	user, clash := s.addEndUser(c, input)
	if clash != "" {
		return reply{}, bad("Create EndUser failed with [errors:" + clash + "]")
	}
	return created(s.endUserBody(user, true))
}

func (s *Server) addEndUser(c *call, input endUserInput) (*EndUser, string) {
	user := &EndUser{Person: input.patch(Person{CreatedAt: c.now})}
	set(&user.ExternalID, input.ExternalID)
	if s.nameTooLong(user.Person) {
		return nil, "InvalidName"
	}
	if clash := s.clash(user.Person); clash != "" {
		return nil, clash
	}
	user.ID = s.newID()
	user.Person = s.rehosted(c, user.Person)
	user.VisibleAt = c.now.Add(time.Duration(c.switches.EndUserListLag))
	s.state.EndUsers = append(s.state.EndUsers, user)
	return user, ""
}

func (s *Server) createEndUsers(c *call, input bulkInput[endUserInput]) (reply, error) {
	return created(each(input.Data, func(item endUserInput) outcome {
		user, clash := s.addEndUser(c, item)
		if clash != "" {
			return failed("Validation", "", "Create EndUser failed with [errors:"+clash+"]")
		}
		return succeeded(s.endUserBody(user, true))
	}))
}

func (s *Server) getEndUser(_ *call, user *EndUser) (reply, error) {
	return ok(s.endUserBody(user, true))
}

// nameTooLong reports whether the switch maxNameChars refuses one of the person's
// names.
func (s *Server) nameTooLong(person Person) bool {
	return slices.ContainsFunc([]string{person.DisplayName, person.FirstName, person.LastName}, func(name string) bool {
		return tooLong(name, s.switches.MaxNameChars)
	})
}

// tooLong reports whether text has more than limit characters. 0 means no limit.
func tooLong(text string, limit int) bool { return limit > 0 && utf8.RuneCountInString(text) > limit }

// changeEndUser applies a patch or replacement and returns the clash, if any.
func (s *Server) changeEndUser(c *call, user *EndUser, input endUserInput) string {
	person, externalID := input.patch(user.Person), user.ExternalID
	if c.replaces() {
		person, externalID = input.replace(user.Person), ""
	}
	if s.nameTooLong(person) {
		return "InvalidName"
	}
	if clash := s.clash(person); clash != "" {
		return clash
	}
	set(&externalID, input.ExternalID)
	user.Person, user.ExternalID = s.rehosted(c, person), externalID
	return ""
}

func (s *Server) updateEndUser(c *call, user *EndUser, input endUserInput) (reply, error) {
	if c.replaces() && input.DisplayName == nil {
		return reply{}, bad(messageDecoding)
	}
	if clash := s.changeEndUser(c, user, input); clash != "" {
		return reply{}, bad("Updating EndUser [id:" + user.ID + "] failed with [errors:" + clash + "]")
	}
	return ok(s.endUserBody(user, true))
}

func (s *Server) updateEndUsers(c *call, input bulkInput[endUserChange]) (reply, error) {
	outcomes := []outcome{}
	for _, item := range input.Data {
		user := s.endUser(item.ID)
		switch {
		case user == nil:
			outcomes = append(outcomes, failed("NotFound", item.ID, "EndUser not found"))
		case c.replaces() && item.DisplayName == nil:
			return reply{}, bad(messageDecoding)
		default:
			if clash := s.changeEndUser(c, user, item.endUserInput); clash != "" {
				outcomes = append(outcomes, failed("Validation", item.ID, s.updateFailure("EndUser", item.ID, clash)))
				continue
			}
			outcomes = append(outcomes, succeeded(s.endUserBody(user, true)))
		}
	}
	return ok(outcomes)
}

func (s *Server) patchEndUserAttributes(c *call, user *EndUser) (reply, error) {
	changed, err := s.patchedAttributes(c, "Contact", user.Attributes)
	if err != nil {
		return reply{}, err
	}
	user.Attributes = changed
	return ok(s.attributeBodies(changed))
}

func (s *Server) listEndUserConversations(c *call, user *EndUser) (reply, error) {
	listed := []conversationBody{}
	for _, conversation := range s.state.Conversations {
		if conversation.RequesterID == user.ID && !conversation.VisibleAt.After(c.now) {
			listed = append(listed, s.conversationBody(conversation, false))
		}
	}
	if c.switches.ConversationOrder == NewestFirst {
		slices.Reverse(listed)
	}
	return page(c, "/endusers/"+user.ID+"/conversations", 1000, listed)
}
