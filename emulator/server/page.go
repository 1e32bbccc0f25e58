package server

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed page.html page.css page.js
var pageFiles embed.FS

var pageTemplate = template.Must(template.ParseFS(pageFiles, "page.html"))

// pageView is the data of the page: all conversations, and the selected one in full.
type pageView struct {
	Organization, Origin string
	Customers            int
	Stats                Stats
	Find                 string
	Items                []pageItem // the newest
	Found                int        // also those that are not listed
	Selected             *pageConversation
	KnownTags            []string
	// Trouble is the error of the last action.
	Trouble string
}

// pageItem is a conversation in the list.
type pageItem struct {
	ID                                 int64
	Subject, Customer, State, Assignee string
	Tags                               []string
	// Last is the time of the last message. Waits reports that the customer wrote it
	// and the conversation is open.
	Last     time.Time
	Waits    bool
	Selected bool
}

type pageConversation struct {
	*Conversation
	Customer, Assignee, Queue string
	Attributes                []pageAttribute
	Tags                      []string
	Actions                   []pageAction
	Thread                    []pageEntry
	Activity                  []pageActivity
	// Version changes with everything shown.
	Version string
}

type pageAttribute struct {
	Label string
	Value any
}

// pageAction is a button that acts as an agent.
type pageAction struct{ Action, Label, Title string }

// pageEntry is a message or a note.
type pageEntry struct {
	// Kind is customer, agent, automatic or note.
	Kind, Author, Text, HTML, ExternalID string
	At                                   time.Time
	Files                                []File
}

// KindInWords describes the kind of the entry.
func (e pageEntry) KindInWords() string {
	return map[string]string{
		"customer": "from the customer", "agent": "to the customer", "automatic": "automatic reply", "note": "internal note",
	}[e.Kind]
}

type pageActivity struct {
	At           time.Time
	Type, Author string
}

// page shows the emulator's content to a person, who can act on it. Without a query,
// it redirects to the newest conversation. All content comes from outside, so mail
// bodies are shown in sandboxed frames and only the page's own script can run.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	query, stats := r.URL.Query(), s.Stats()
	chosen, _ := strconv.ParseInt(query.Get("conversation"), 10, 64) // 0 selects none
	var rendered bytes.Buffer
	newest := func() (id int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle()
		if n := len(s.state.Conversations); n > 0 && r.URL.RawQuery == "" {
			return s.state.Conversations[n-1].ID
		}
		view := s.view(chosen, query.Get("find"))
		view.Origin, view.Stats, view.Trouble = origin(r), stats, query.Get("trouble")
		if err := pageTemplate.Execute(&rendered, view); err != nil {
			panic("emulator: render page: " + err.Error()) // the template fits the view
		}
		return 0
	}()
	if newest != 0 {
		http.Redirect(w, r, fmt.Sprintf("/_emulator/?conversation=%d", newest), http.StatusFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(rendered.Bytes()) // the client may have disconnected
}

// pageFile serves the page's stylesheet or script.
func pageFile(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, pageFiles, name)
	}
}

// act performs the action of a form on the page and redirects back to the
// conversation.
func (s *Server) act(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	id, err := strconv.ParseInt(r.PostFormValue("conversation"), 10, 64)
	back := url.Values{}
	if err == nil {
		back.Set("conversation", strconv.FormatInt(id, 10))
		step := Step{Action: r.PostFormValue("action"), Conversation: id, Text: r.PostFormValue("text"), Tag: r.PostFormValue("tag")}
		if step.Action == "answer" {
			step.Action = PlayReply
			err = s.Customer(r.Context(), step)
		} else {
			err = s.Agent(r.Context(), step)
		}
	}
	if err != nil {
		back.Set("trouble", err.Error())
	}
	http.Redirect(w, r, "/_emulator/?"+back.Encode(), http.StatusSeeOther)
}

// pageItems is the largest number of conversations that the page lists. A search looks
// at all of them.
const pageItems = 200

// view builds the page's data. The caller holds s.mu until the page is rendered.
func (s *Server) view(chosen int64, find string) pageView {
	state := s.state
	v := pageView{Organization: state.Organization.Name, Customers: len(state.EndUsers), Find: find}
	people, queues, tags := map[string]string{}, map[string]string{}, map[string]string{}
	for _, user := range state.EndUsers {
		people[user.ID] = strings.TrimSpace(user.DisplayName + " <" + user.Email + ">")
		if user.Email == "" {
			people[user.ID] = cmp.Or(user.DisplayName, user.PhoneNumber, user.ID)
		}
	}
	for _, agent := range state.Agents {
		people[agent.ID] = agent.DisplayName
	}
	for _, queue := range state.Queues {
		queues[queue.ID] = queue.Name
	}
	for _, tag := range state.Tags {
		v.KnownTags = append(v.KnownTags, tag.Name)
		tags[tag.ID] = tag.Name
	}
	for _, c := range state.Conversations {
		item := pageItem{
			ID: c.ID, Subject: c.Subject, Customer: people[c.RequesterID], State: c.State, Assignee: people[c.AssigneeID],
			Last: c.CreatedAt, Selected: c.ID == chosen,
		}
		for _, id := range c.TagIDs {
			if name, exists := tags[id]; exists {
				item.Tags = append(item.Tags, name)
			}
		}
		if n := len(c.Messages); n > 0 {
			item.Last, item.Waits = c.Messages[n-1].CreatedAt, c.State == StateOpen && c.Messages[n-1].Direction == Inbound
		}
		if item.matches(find) {
			v.Items = append(v.Items, item)
		}
		if c.ID == chosen {
			v.Selected = s.conversationView(c, people, queues)
		}
	}
	slices.SortStableFunc(v.Items, func(a, b pageItem) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.ID, a.ID)) })
	v.Found = len(v.Items)
	v.Items = v.Items[:min(v.Found, pageItems)]
	return v
}

// matches reports whether an item contains every word of the search.
func (i pageItem) matches(find string) bool {
	text := strings.ToLower(strings.Join(append([]string{i.Subject, i.Customer, i.State, i.Assignee, strconv.FormatInt(i.ID, 10)}, i.Tags...), "\n"))
	return !slices.ContainsFunc(strings.Fields(strings.ToLower(find)), func(word string) bool { return !strings.Contains(text, word) })
}

func (s *Server) conversationView(c *Conversation, people, queues map[string]string) *pageConversation {
	v := &pageConversation{
		Conversation: c, Customer: people[c.RequesterID], Assignee: people[c.AssigneeID], Queue: queues[c.QueueID], Tags: s.tagNames(c),
	}
	for _, d := range s.state.Attributes {
		if value, ok := c.Attributes[d.ID]; ok {
			v.Attributes = append(v.Attributes, pageAttribute{d.Label, value})
		}
	}
	if c.AssigneeID == "" {
		v.Actions = append(v.Actions, pageAction{PlayClaim, "Claim", "Assign the conversation to Anna Agent"})
	} else {
		v.Actions = append(v.Actions, pageAction{PlayUnassign, "Unassign", "Remove the agent from the conversation"})
	}
	switch c.State {
	case StateClosed:
		v.Actions = append(v.Actions, pageAction{PlayReopen, "Reopen", "Reopen the conversation"})
	case StatePending:
		v.Actions = append(v.Actions, pageAction{PlayExpire, "Expire the follow-up", "Expire the follow-up now"},
			pageAction{PlayUnpend, "Remove the follow-up", "Remove the follow-up and open the conversation"}, pageAction{PlayClose, "Close", "Close the conversation"})
	default:
		v.Actions = append(v.Actions, pageAction{PlayPending, "Follow up tomorrow", "Set the conversation to pending for 24 hours"}, pageAction{PlayClose, "Close", "Close the conversation"})
	}
	for _, m := range c.Messages {
		v.Thread = append(v.Thread, m.entry(people))
	}
	for _, n := range c.Notes {
		v.Thread = append(v.Thread, pageEntry{Kind: "note", Author: name(people, n.AuthorID), Text: n.Text, At: n.CreatedAt})
	}
	slices.SortStableFunc(v.Thread, func(a, b pageEntry) int { return a.At.Compare(b.At) })
	for _, a := range s.conversationActivity(c.ID) {
		v.Activity = append(v.Activity, pageActivity{a.At, a.Type, name(people, a.AuthorID)})
	}
	sum := fnv.New64a()
	_, _ = fmt.Fprint(sum, c.State, c.Subject, v.Customer, v.Assignee, v.Queue, v.Tags, v.Attributes, len(c.Messages), len(c.Notes), len(v.Activity)) // writing to a hash cannot fail
	v.Version = strconv.FormatUint(sum.Sum64(), 36)
	return v
}

// name returns a person's name without the address.
func name(people map[string]string, id string) string {
	short, _, _ := strings.Cut(people[id], " <")
	return short
}

func (m *Message) entry(people map[string]string) pageEntry {
	e := pageEntry{Kind: "customer", Author: name(people, m.AuthorID), ExternalID: m.ExternalID, At: m.CreatedAt, Files: m.Attachments}
	switch {
	case m.AutoReply:
		e.Kind = "automatic"
	case m.Direction == Outbound:
		e.Kind = "agent"
	}
	if m.Content != nil && m.Content.Type == "Html" {
		e.HTML = m.Content.Value
	} else if m.Content != nil {
		e.Text = m.Content.Value
	}
	return e
}
