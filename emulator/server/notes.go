package server

import (
	"html"
	"regexp"
	"strings"
	"time"
)

type noteInput struct {
	Message   *string `json:"message" validate:"required"`
	AgentID   string  `json:"agentId" validate:"omitempty,uuid"`
	CreatedAt *string `json:"createdAt"`
}

type noteBody struct {
	ID        string `json:"id"`
	AuthorID  string `json:"authorId"`
	CreatedAt string `json:"createdAt"`
	CSID      int64  `json:"csid"`
	Message   string `json:"message"`
}

func (s *Server) noteBody(conversation *Conversation, note *Note) noteBody {
	return noteBody{note.ID, note.AuthorID, s.zoned(note.CreatedAt), conversation.ID, s.noteText(note.Text)}
}

var markup = regexp.MustCompile(`<[^>]*>`)

// noteText returns a note in the format set by the switch noteFormat.
func (s *Server) noteText(text string) string {
	switch s.switches.NoteFormat {
	case "html":
		return "<p>" + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>") + "</p>"
	case "text":
		return markup.ReplaceAllString(text, "")
	}
	return text
}

func (s *Server) createNote(c *call, conversation *Conversation, input noteInput) (reply, error) {
	note, err := s.addNote(c, conversation, input)
	if err != nil {
		return reply{}, err
	}
	return ok(s.noteBody(conversation, note))
}

func (s *Server) createNotes(c *call, conversation *Conversation, input bulkInput[noteInput]) (reply, error) {
	return ok(each(input.Data, func(item noteInput) outcome {
		note, err := s.addNote(c, conversation, item)
		if err != nil {
			return failed("", "", "An agent with id:"+item.AgentID+" cannot be found in org.")
		}
		return succeeded(s.noteBody(conversation, note))
	}))
}

func (s *Server) addNote(c *call, conversation *Conversation, input noteInput) (*Note, error) {
	note := &Note{
		AuthorID: c.actor, CreatedAt: c.now, Text: *input.Message,
		VisibleAt: c.now.Add(time.Duration(c.switches.ListLag)),
	}
	if input.AgentID != "" {
		agent := s.agent(input.AgentID)
		if agent == nil {
			return nil, bad("Agent was not found")
		}
		note.AuthorID = agent.ID
	}
	if input.CreatedAt != nil {
		at, ok := parseTime(*input.CreatedAt)
		if !ok {
			return nil, bad("Invalid date format")
		}
		note.CreatedAt = at
	}
	if len(note.Text) > s.textLimit() {
		return nil, bad(messageInvalid)
	}
	note.ID = s.newID()
	conversation.Notes = append(conversation.Notes, note)
	s.record(c, conversation, "NoteAdded", note.AuthorID, "NoteAddedAttribute", map[string]any{"message": note.Text})
	s.emit(c, conversation, "ConversationNoteAdded", func() map[string]any {
		return map[string]any{
			"note_id": note.ID, "text": s.noteText(note.Text), "created_at": millis(note.CreatedAt),
			"author": s.webhookUser(note.AuthorID),
		}
	})
	return note, nil
}

func (s *Server) listNotes(c *call, conversation *Conversation) (reply, error) {
	bodies := []noteBody{}
	for _, note := range conversation.Notes {
		if !note.VisibleAt.After(c.now) {
			bodies = append(bodies, s.noteBody(conversation, note))
		}
	}
	return ok(bodies)
}
