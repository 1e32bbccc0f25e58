package server

import "strings"

// index finds end users and activity log entries by id, because a search of the lists
// is slow if they are long. It is brought up to date when it is used: items are only
// appended to the lists, and reindex is called when a list is replaced.
type index struct {
	users    map[string]*EndUser
	activity map[int64][]*Activity // by conversation
	seen     struct{ users, activity int }
}

// reindex discards the index after a list was replaced or reordered. The caller holds
// s.mu.
func (s *Server) reindex() { s.index = index{} }

// userKey is the key of an id in index.users. UUIDs compare without regard to case.
func userKey(id string) string {
	if isUUID(id) {
		return strings.ToLower(id)
	}
	return id
}

func (s *Server) endUser(id string) *EndUser {
	if s.index.users == nil {
		s.index.users = map[string]*EndUser{}
	}
	for _, user := range s.state.EndUsers[s.index.seen.users:] {
		if key := userKey(user.ID); s.index.users[key] == nil {
			s.index.users[key] = user
		}
	}
	s.index.seen.users = len(s.state.EndUsers)
	return s.index.users[userKey(id)]
}

// conversationActivity returns a conversation's entries in the order of the log.
func (s *Server) conversationActivity(id int64) []*Activity {
	if s.index.activity == nil {
		s.index.activity = map[int64][]*Activity{}
	}
	for _, entry := range s.state.Activity[s.index.seen.activity:] {
		s.index.activity[entry.ConversationID] = append(s.index.activity[entry.ConversationID], entry)
	}
	s.index.seen.activity = len(s.state.Activity)
	return s.index.activity[id]
}

// person returns the agent or end user with the given id, or nil if there is none.
func (s *Server) person(id string) *Person {
	if agent := s.agent(id); agent != nil {
		return &agent.Person
	}
	if user := s.endUser(id); user != nil {
		return &user.Person
	}
	return nil
}
