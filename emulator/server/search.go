package server

import (
	"cmp"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

type searchHit struct {
	ID         int64               `json:"id"`
	Highlights map[string][]string `json:"highlights"`
	InnerHits  []innerHit          `json:"innerHits,omitempty"`
}

type innerHit struct {
	ID        string            `json:"id"`
	Highlight map[string]string `json:"highlight"`
}

type searchInput struct {
	Query *struct {
		Value      *string `json:"value" validate:"required"`
		ExactMatch bool    `json:"exactMatch"`
	} `json:"query"`
	Filters *struct {
		Strategy   string `json:"strategy" validate:"required,oneof=All Any"`
		Conditions []struct {
			Field *searchField `json:"field" validate:"required"`
		} `json:"conditions" validate:"dive"`
	} `json:"filters"`
}

type searchField struct {
	Type        string         `json:"_type" validate:"required,oneof=AgentId AssignedDate Channel ClosedDate ContactId ConversationId CreationDate CustomAttribute Direction Duration LastActivity LastMessage QueueId Status TagId"`
	AttributeID string         `json:"attributeId" validate:"required_if=Type CustomAttribute"`
	Operator    searchOperator `json:"operator" validate:"required"`
}

type searchOperator struct {
	Type     string   `json:"_type" validate:"required"`
	Values   []any    `json:"values"`
	From     *instant `json:"timestampFrom"`
	To       *instant `json:"timestampTo"`
	At       *instant `json:"timestamp"`
	Min      *int64   `json:"min"`
	Max      *int64   `json:"max"`
	Duration *int64   `json:"duration"`
}

const searchPath = "/search/conversations/"

func (s *Server) searchText(c *call) (reply, error) {
	query := c.filter("query")
	if query == "" {
		return reply{}, bad(messageInvalid)
	}
	filters := *c
	filters.query = c.filters()
	exact, err := filters.flag("exactMatch")
	if err != nil {
		return reply{}, err
	}
	hits := s.search(c, query, exact, func(*Conversation) bool { return true })
	return page(c, searchPath, 50, hits)
}

func (s *Server) searchFilters(c *call) (reply, error) {
	input, err := decodeOptional[searchInput](c)
	if err != nil {
		return reply{}, err
	}
	var tests []func(*Conversation) bool
	if input.Filters != nil {
		for _, condition := range input.Filters.Conditions {
			test, err := s.searchTest(c, *condition.Field)
			if err != nil {
				return reply{}, err
			}
			tests = append(tests, test)
		}
	}
	wanted := func(conversation *Conversation) bool {
		passes := func(test func(*Conversation) bool) bool { return test(conversation) }
		if input.Filters != nil && input.Filters.Strategy == "Any" && len(tests) > 0 {
			return slices.ContainsFunc(tests, passes)
		}
		return !slices.ContainsFunc(tests, func(test func(*Conversation) bool) bool { return !passes(test) })
	}
	query, exact := "", false
	if input.Query != nil {
		query, exact = *input.Query.Value, input.Query.ExactMatch
	}
	hits := s.search(c, query, exact, wanted)
	for i := range hits {
		hits[i].InnerHits = nil // only the deprecated operation returns them
	}
	return page(c, searchPath, 50, hits)
}

// search finds text in subjects, messages and customers. An inexact search requires
// every word, in any place. An exact search requires the whole phrase.
func (s *Server) search(c *call, query string, exact bool, wanted func(*Conversation) bool) []searchHit {
	words := strings.Fields(query)
	if exact && query != "" {
		words = []string{query}
	}
	hits := []searchHit{}
	patterns := each(words, func(word string) *regexp.Regexp { return regexp.MustCompile("(?i)" + regexp.QuoteMeta(word)) })
	for _, conversation := range s.state.Conversations {
		if conversation.VisibleAt.After(c.now) || !conversation.AnonymizedAt.IsZero() || !wanted(conversation) {
			continue
		}
		if hit, found := s.searchOne(c, conversation, patterns); found {
			hits = append(hits, hit)
		}
	}
	if c.switches.ConversationOrder == NewestFirst {
		slices.Reverse(hits)
	}
	return hits
}

func (s *Server) searchOne(c *call, conversation *Conversation, words []*regexp.Regexp) (searchHit, bool) {
	hit := searchHit{ID: conversation.ID, Highlights: map[string][]string{}}
	missing := slices.Clone(words)
	look := func(text string) (marked string, found bool) {
		marked = text
		for _, pattern := range words {
			if !pattern.MatchString(text) {
				continue
			}
			found = true
			marked = pattern.ReplaceAllString(marked, `<em class="highlight">$0</em>`)
			missing = slices.DeleteFunc(missing, func(m *regexp.Regexp) bool { return m == pattern })
		}
		return marked, found
	}
	if marked, found := look(conversation.Subject); found {
		hit.Highlights["subject"] = []string{marked}
	}
	if user := s.endUser(conversation.RequesterID); user != nil {
		look(user.DisplayName + " " + user.Email)
	}
	for _, message := range conversation.Messages {
		if message.Content == nil || message.VisibleAt.After(c.now) {
			continue
		}
		text := message.Content.Value
		if message.Content.Type == "Html" {
			text = html.UnescapeString(markup.ReplaceAllString(text, " "))
		}
		if marked, found := look(text); found {
			hit.InnerHits = append(hit.InnerHits, innerHit{message.ID, map[string]string{"text": marked}})
		}
	}
	return hit, len(missing) == 0
}

// searchTest turns a condition into a predicate on a conversation.
func (s *Server) searchTest(c *call, field searchField) (func(*Conversation) bool, error) {
	switch field.Type {
	case "AssignedDate", "ClosedDate", "CreationDate", "LastActivity", "LastMessage":
		within, err := field.Operator.instants()
		return func(conversation *Conversation) bool { return within(s.searchDate(conversation, field.Type)) }, err
	case "Duration":
		within, err := field.Operator.durations()
		return func(conversation *Conversation) bool {
			end := conversation.ClosedAt
			if end.IsZero() {
				end = c.now
			}
			return within(end.Sub(conversation.CreatedAt).Milliseconds())
		}, err
	case "CustomAttribute":
		return s.attributeTest(field)
	}
	matches, err := field.Operator.strings()
	return func(conversation *Conversation) bool { return matches(s.searchValues(conversation, field.Type)) }, err
}

// searchValues returns a conversation's values of a field, in the notation of
// search.
func (s *Server) searchValues(conversation *Conversation, field string) []string {
	var value string
	switch field {
	case "AgentId":
		value = conversation.AssigneeID
	case "QueueId":
		value = conversation.QueueID
	case "ContactId":
		value = conversation.RequesterID
	case "ConversationId":
		value = strconv.FormatInt(conversation.ID, 10)
	case "Direction":
		value = strings.ToLower(conversation.Direction)
	case "Status":
		value = cmp.Or(map[string]string{StateClosed: "closed", StateOpen: "open"}[conversation.State], "pending")
	case "Channel":
		value = map[string]string{
			"WidgetChat": "chat", "Messenger": "dixamessenger", "PstnPhone": "phone",
		}[conversation.Channel]
		value = cmp.Or(value, strings.ToLower(conversation.Channel))
	case "TagId":
		return conversation.TagIDs
	}
	if value == "" {
		return nil
	}
	return []string{value}
}

func (s *Server) searchDate(conversation *Conversation, field string) time.Time {
	switch field {
	case "AssignedDate":
		return conversation.AssignedAt
	case "ClosedDate":
		return conversation.ClosedAt
	case "CreationDate":
		return conversation.CreatedAt
	case "LastMessage":
		if len(conversation.Messages) == 0 {
			return time.Time{}
		}
		return conversation.Messages[len(conversation.Messages)-1].CreatedAt
	}
	var last time.Time
	for _, entry := range s.conversationActivity(conversation.ID) {
		if entry.At.After(last) {
			last = entry.At
		}
	}
	return last
}

func (o searchOperator) strings() (func([]string) bool, error) {
	var wanted []string
	for _, value := range o.Values {
		text, ok := value.(string)
		if !ok {
			return nil, bad(messageDecoding)
		}
		wanted = append(wanted, text)
	}
	one := func(has []string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool { return containsID(has, w) })
	}
	all := func(has []string) bool {
		return !slices.ContainsFunc(wanted, func(w string) bool { return !containsID(has, w) })
	}
	switch o.Type {
	case "IsOneOf", "IncludesOne":
		return one, nil
	case "IsNotOneOf", "ExcludesAll":
		return func(has []string) bool { return !one(has) }, nil
	case "IncludesAll":
		return all, nil
	case "ExcludesOne":
		return func(has []string) bool { return !all(has) }, nil
	case "IsEmpty":
		return func(has []string) bool { return len(has) == 0 }, nil
	case "IsNotEmpty":
		return func(has []string) bool { return len(has) > 0 }, nil
	}
	return nil, bad(messageDecoding)
}

func (o searchOperator) instants() (func(time.Time) bool, error) {
	switch {
	case o.Type == "Between" && o.From != nil && o.To != nil:
		return func(t time.Time) bool { return !t.IsZero() && !t.Before(o.From.Time) && !t.After(o.To.Time) }, nil
	case o.Type == "Since" && o.At != nil:
		return func(t time.Time) bool { return !t.IsZero() && !t.Before(o.At.Time) }, nil
	case o.Type == "Until" && o.At != nil:
		return func(t time.Time) bool { return !t.IsZero() && !t.After(o.At.Time) }, nil
	}
	return nil, bad(messageDecoding)
}

func (o searchOperator) durations() (func(int64) bool, error) {
	switch {
	case o.Type == "Between" && o.Min != nil && o.Max != nil:
		return func(ms int64) bool { return ms >= *o.Min && ms <= *o.Max }, nil
	case o.Type == "LongerThanOrEqualTo" && o.Duration != nil:
		return func(ms int64) bool { return ms >= *o.Duration }, nil
	case o.Type == "ShorterThanOrEqualTo" && o.Duration != nil:
		return func(ms int64) bool { return ms <= *o.Duration }, nil
	}
	return nil, bad(messageDecoding)
}

// attributeTest matches a custom attribute: a Text as a path of one element, a
// Select by its path or a prefix of it.
func (s *Server) attributeTest(field searchField) (func(*Conversation) bool, error) {
	var paths [][]string
	for _, value := range field.Operator.Values {
		list, ok := value.([]any)
		if !ok {
			return nil, bad(messageDecoding)
		}
		var path []string
		for _, part := range list {
			text, ok := part.(string)
			if !ok {
				return nil, bad(messageDecoding)
			}
			path = append(path, text)
		}
		paths = append(paths, path)
	}
	attribute := field.AttributeID
	if definition := s.attribute(attribute); definition != nil {
		attribute = definition.ID
	}
	one := func(conversation *Conversation) bool {
		var has []string
		switch value := conversation.Attributes[attribute].(type) {
		case string:
			has = []string{value}
		case []string:
			has = value
		}
		return slices.ContainsFunc(paths, func(path []string) bool {
			return len(path) > 0 && len(path) <= len(has) && slices.Equal(path, has[:len(path)])
		})
	}
	isSet := func(conversation *Conversation) bool {
		_, set := conversation.Attributes[attribute]
		return set
	}
	switch field.Operator.Type {
	case "IsOneOf":
		return one, nil
	case "IsNotOneOf":
		return func(conversation *Conversation) bool { return !one(conversation) }, nil
	case "IsEmpty":
		return func(conversation *Conversation) bool { return !isSet(conversation) }, nil
	case "IsNotEmpty":
		return isSet, nil
	}
	return nil, bad(messageDecoding)
}
