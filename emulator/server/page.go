package server

import (
	_ "embed"
	"html/template"
	"net/http"
	"slices"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page shows what exists to a person. Everything in it came from outside, so
// mail bodies are shown in sandboxed frames and nothing on the page can run.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	state := s.State()
	people := map[string]string{}
	for _, user := range state.EndUsers {
		people[user.ID] = user.DisplayName + " <" + user.Email + ">"
	}
	for _, agent := range state.Agents {
		people[agent.ID] = agent.DisplayName + " (agent)"
	}
	slices.Reverse(state.Conversations)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	_ = pageTemplate.Execute(w, map[string]any{
		"State": state, "Stats": s.Stats(), "People": people, "Origin": origin(r),
	}) // the reader may be gone
}
