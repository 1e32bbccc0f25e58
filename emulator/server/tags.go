package server

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

type tagBody struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Color string `json:"color,omitempty"`
	State string `json:"state"`
}

func (t *Tag) body() tagBody {
	state := "Active"
	if t.Inactive {
		state = "Inactive"
	}
	return tagBody{t.ID, t.Name, t.Color, state}
}

func (s *Server) tag(id string) *Tag {
	return first(s.state.Tags, func(t *Tag) bool { return sameID(t.ID, id) })
}

// tagNamed returns the tag with the given name and creates it if it does not exist.
func (s *Server) tagNamed(name, color string) *Tag {
	tag := first(s.state.Tags, func(t *Tag) bool { return t.Name == name })
	if tag != nil {
		return tag
	}
	tag = &Tag{ID: s.newID(), Name: name, Color: color}
	s.state.Tags = append(s.state.Tags, tag)
	return tag
}

func (s *Server) tagNames(conversation *Conversation) []string {
	names := []string{}
	for _, id := range conversation.TagIDs {
		if tag := s.tag(id); tag != nil {
			names = append(names, tag.Name)
		}
	}
	return names
}

func (s *Server) pathTag(c *call) (*Tag, error) { return named(c, "tagId", s.tag) }

func (s *Server) listTags(c *call) (reply, error) {
	all, err := c.flag("includeDeactivated")
	if err != nil {
		return reply{}, err
	}
	bodies := []tagBody{}
	for _, tag := range s.state.Tags {
		if all || !tag.Inactive {
			bodies = append(bodies, tag.body())
		}
	}
	return ok(inOrder(s, bodies))
}

type tagInput struct {
	Name  string `json:"name" validate:"required"`
	Color string `json:"color"`
}

func (s *Server) createTag(c *call, input tagInput) (reply, error) {
	return ok(s.tagNamed(input.Name, input.Color).body())
}

func (s *Server) getTag(_ *call, tag *Tag) (reply, error) {
	return ok(tag.body())
}

func (s *Server) deleteTag(_ *call, tag *Tag) (reply, error) {
	s.state.Tags = slices.DeleteFunc(s.state.Tags, func(t *Tag) bool { return t.ID == tag.ID })
	for _, conversation := range s.state.Conversations {
		conversation.TagIDs = slices.DeleteFunc(conversation.TagIDs, func(id string) bool { return id == tag.ID })
	}
	return empty(http.StatusNoContent)
}

func (s *Server) activateTag(_ *call, tag *Tag) (reply, error) {
	tag.Inactive = false
	return empty(http.StatusNoContent)
}

func (s *Server) deactivateTag(_ *call, tag *Tag) (reply, error) {
	tag.Inactive = true
	return empty(http.StatusNoContent)
}

func (s *Server) listConversationTags(_ *call, conversation *Conversation) (reply, error) {
	bodies := []tagBody{}
	for _, id := range conversation.TagIDs {
		if tag := s.tag(id); tag != nil {
			bodies = append(bodies, tag.body())
		}
	}
	return ok(bodies)
}

func (s *Server) tagConversation(c *call, conversation *Conversation) (reply, error) {
	tag, err := s.pathTag(c)
	if err != nil {
		return reply{}, err
	}
	if tag.Inactive {
		return reply{}, refusedWith(c.switches.InactiveTag, "Tag is not active")
	}
	if slices.Contains(conversation.TagIDs, tag.ID) && c.switches.TagTwice == Rejected {
		return reply{}, bad(messageInvalid)
	}
	s.addTag(c, conversation, tag, c.actor)
	return empty(http.StatusNoContent)
}

func (s *Server) untagConversation(c *call, conversation *Conversation) (reply, error) {
	tag, err := s.pathTag(c)
	if err != nil {
		return reply{}, err
	}
	s.removeTag(c, conversation, tag, c.actor)
	return empty(http.StatusNoContent)
}

type tagName struct {
	Name string `json:"name" validate:"required"`
}

// bulkTagConversation responds with 202 and adds the tags later, by name.
func (s *Server) bulkTagConversation(c *call, conversation *Conversation, input bulkInput[tagName]) (reply, error) {
	for _, item := range input.Data {
		if tooLong(item.Name, c.switches.MaxTagChars) {
			return reply{}, bad(messageInvalid)
		}
	}
	pending := &PendingTags{Actor: c.actor, DueAt: c.now.Add(time.Duration(c.switches.BulkTagDelay))}
	for _, item := range input.Data {
		pending.Names = append(pending.Names, strings.TrimSpace(item.Name))
	}
	conversation.PendingTags = append(conversation.PendingTags, pending)
	s.armTags(conversation, pending)
	return empty(http.StatusAccepted)
}

// armTags schedules a bulk tag for its due time.
func (s *Server) armTags(conversation *Conversation, pending *PendingTags) {
	s.at(pending.DueAt, func(at time.Time) {
		conversation.PendingTags = slices.DeleteFunc(conversation.PendingTags, func(p *PendingTags) bool { return p == pending })
		then := &call{now: at, actor: pending.Actor, switches: s.switches}
		for _, name := range pending.Names {
			if tag := s.tagNamed(name, ""); !tag.Inactive {
				s.addTag(then, conversation, tag, pending.Actor)
			}
		}
	})
}

func (s *Server) addTag(c *call, conversation *Conversation, tag *Tag, author string) {
	if slices.Contains(conversation.TagIDs, tag.ID) {
		return
	}
	conversation.TagIDs = append(conversation.TagIDs, tag.ID)
	s.record(c, conversation, "TagAdded", author, "TagAddedAttribute", map[string]any{"tag": tag.Name})
	s.emit(c, conversation, "ConversationTagAdded", func() map[string]any {
		return map[string]any{"author": s.webhookUser(author), "tag": tag.Name}
	})
}

func (s *Server) removeTag(c *call, conversation *Conversation, tag *Tag, author string) {
	at := slices.Index(conversation.TagIDs, tag.ID)
	if at < 0 {
		return
	}
	conversation.TagIDs = slices.Delete(conversation.TagIDs, at, at+1)
	s.record(c, conversation, "TagRemoved", author, "TagRemovedAttribute", map[string]any{"tag": tag.Name})
	s.emit(c, conversation, "ConversationTagRemoved", func() map[string]any {
		return map[string]any{"author": s.webhookUser(author), "tag": tag.Name}
	})
}
