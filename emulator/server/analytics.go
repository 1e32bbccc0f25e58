package server

import (
	"cmp"
	"slices"
	"strings"
)

// Ids of metrics and records.
const (
	metricCsat        = "csat"
	metricAssignments = "conversation_assignments_per_agent"
	recordRatings     = "ratings"
	// closedConversations and firstResponseTime are both a metric and a record.
	closedConversations = "closed_conversations"
	firstResponseTime   = "first_response_time"
)

// Attributes of filters.
const (
	byAgent        = "agent_id"
	byQueue        = "queue_id"
	byChannel      = "channel"
	byDirection    = "initial_direction"
	byTag          = "tag_id"
	byContactPoint = "contact_point"
)

type filterBody struct {
	Attribute   string `json:"filterAttribute"`
	Description string `json:"description,omitempty"`
}

type aggregationBody struct {
	Measure     string `json:"measure"`
	Description string `json:"description,omitempty"`
}

// metric is an entry of the catalogue of metrics. Its JSON matches Dixa's.
type metric struct {
	ID           string            `json:"id"`
	Description  string            `json:"description"`
	Filters      []filterBody      `json:"filters"`
	Aggregations []aggregationBody `json:"aggregations"`
	Records      []string          `json:"relatedRecordIds"`

	facts     func(*Server, *call) []fact
	aggregate func(facts []fact, measure string) (value float64, defined bool)
}

type fieldBody struct {
	Field       string `json:"field"`
	Description string `json:"description"`
	Nullable    bool   `json:"nullable"`
}

// recordKind is an entry of the catalogue of records. Its JSON matches Dixa's.
type recordKind struct {
	ID          string       `json:"id"`
	Description string       `json:"description"`
	Filters     []filterBody `json:"filters"`
	Metrics     []string     `json:"relatedMetricIds"`
	Fields      []fieldBody  `json:"fieldsMetadata"`

	facts func(*Server, *call) []fact
}

var allFilters = []string{byAgent, byQueue, byChannel, byDirection, byTag, byContactPoint}

func filtersBy(attributes ...string) []filterBody {
	return each(attributes, func(attribute string) filterBody {
		return filterBody{attribute, "Only the " + strings.ReplaceAll(attribute, "_", " ") + "s given"}
	})
}

func measures(names ...string) []aggregationBody {
	return each(names, func(name string) aggregationBody { return aggregationBody{name, name + " of the metric"} })
}

// metrics is the catalogue of metrics. Dixa publishes the properties of csat and
// closed_conversations, and the ids and meaning of the measures of
// conversation_assignments_per_agent. Of first_response_time it publishes only the id.
func metrics() []metric {
	return []metric{
		{
			ID: metricCsat, Description: "Share of the answers to surveys that are satisfied (a score of 4 or 5), in percent",
			Filters: filtersBy(allFilters...), Aggregations: measures("Percentage"), Records: []string{recordRatings},
			facts: (*Server).ratingFacts, aggregate: satisfied,
		},
		{
			ID: closedConversations, Description: "How often conversations were closed",
			Filters: filtersBy(allFilters[1:]...), Aggregations: measures("Count"), Records: []string{closedConversations},
			facts: (*Server).closeFacts, aggregate: measure,
		},
		{
			ID: firstResponseTime, Description: "Time from the creation of a conversation by its customer to the first reply of an agent",
			Filters: filtersBy(allFilters...), Aggregations: measures("Min", "Max", "Count", "StdDev", "Average"), Records: []string{firstResponseTime},
			facts: (*Server).responseFacts, aggregate: measure,
		},
		{
			ID: metricAssignments, Description: "How many agents were assigned conversations, and how often",
			Filters: filtersBy(allFilters...), Aggregations: measures("Count", "Sum"), Records: []string{},
			facts: (*Server).assignmentFacts, aggregate: perAgent,
		},
	}
}

// recordKinds is the catalogue of records.
func recordKinds() []recordKind {
	conversation := fieldBody{"conversation_id", "Id of the conversation", false}
	return []recordKind{
		{
			ID: recordRatings, Description: "Answers to surveys", Filters: filtersBy(allFilters...), Metrics: []string{metricCsat},
			Fields: []fieldBody{
				conversation,
				{"agent_id", "Agent to whom the conversation is assigned", true},
				{"queue_id", "Queue of the conversation when the survey was offered", true},
			},
			facts: (*Server).ratingFacts,
		},
		{
			ID: closedConversations, Description: "Closings of conversations", Filters: filtersBy(allFilters[1:]...), Metrics: []string{closedConversations},
			Fields: []fieldBody{
				{"closed_at", "Time of the closing", false},
				conversation,
				{"agent_id", "Agent who closed the conversation", true},
				{"queue_id", "Queue of the conversation when it was closed", true},
				{"closed_by", "Who closed the conversation: Agent, Enduser or Unknown", false},
			},
			facts: (*Server).closeFacts,
		},
		{
			ID: firstResponseTime, Description: "First replies of agents", Filters: filtersBy(allFilters...), Metrics: []string{firstResponseTime},
			Fields: []fieldBody{
				conversation,
				{"agent_id", "Agent who replied", true},
				{"queue_id", "Queue of the conversation when the agent replied", true},
			},
			facts: (*Server).responseFacts,
		},
	}
}

func (s *Server) listMetrics(c *call) (reply, error) {
	return page(c, "/analytics/metrics", 1000, metrics())
}

func (s *Server) listRecords(c *call) (reply, error) {
	return page(c, "/analytics/records", 1000, recordKinds())
}

// getMetric and getRecord document no 404.
func (s *Server) getMetric(c *call) (reply, error) {
	found, err := catalogued(metrics(), c.request.PathValue("metricId"), func(m metric) string { return m.ID })
	if err != nil {
		return reply{}, err
	}
	return ok(found)
}

func (s *Server) getRecord(c *call) (reply, error) {
	found, err := catalogued(recordKinds(), c.request.PathValue("recordId"), func(r recordKind) string { return r.ID })
	if err != nil {
		return reply{}, err
	}
	return ok(found)
}

func catalogued[T any](entries []T, id string, idOf func(T) string) (T, error) {
	at := slices.IndexFunc(entries, func(entry T) bool { return idOf(entry) == id })
	if at < 0 {
		var none T
		return none, bad(messageInvalid)
	}
	return entries[at], nil
}

type filterValue struct {
	Value string `json:"value"`
	Label string `json:"label,omitempty"`
}

// channels are the channels of conversations, as the API names them.
var channels = []string{
	"Callback", "ContactForm", "Email", "FacebookMessenger", "Messenger", "PstnPhone", "Sms", "Twitter", "Voicemail", "WhatsApp", "WidgetChat",
}

// listFilterValues documents no 404, so an unknown attribute is a 400.
func (s *Server) listFilterValues(c *call) (reply, error) {
	attribute := c.request.PathValue("filterAttribute")
	values := []filterValue{}
	switch attribute {
	case byAgent:
		for _, agent := range s.state.Agents {
			values = append(values, filterValue{agent.ID, cmp.Or(agent.DisplayName, agent.Email)})
		}
	case byQueue:
		for _, queue := range s.state.Queues {
			values = append(values, filterValue{queue.ID, queue.Name})
		}
	case byChannel:
		for _, channel := range channels {
			values = append(values, filterValue{upperSnake(channel), analyticsLabel(channel)})
		}
	case byDirection:
		for _, direction := range []string{Inbound, Outbound} {
			values = append(values, filterValue{upperSnake(direction), direction})
		}
	case byTag:
		for _, tag := range s.state.Tags {
			values = append(values, filterValue{tag.ID, tag.Name})
		}
	case byContactPoint:
		for _, endpoint := range s.state.ContactEndpoints {
			point := cmp.Or(endpoint.Address, endpoint.Number)
			values = append(values, filterValue{point, point})
		}
	default:
		return reply{}, bad(messageInvalid)
	}
	return page(c, "/analytics/filter/"+attribute, 1000, inOrder(s, values))
}

// analyticsLabel returns the name of a channel for people, such as "Contact Form".
func analyticsLabel(channel string) string {
	if channel == "PstnPhone" {
		return "Phone"
	}
	var words []string
	for word := range strings.SplitSeq(upperSnake(channel), "_") {
		words = append(words, word[:1]+strings.ToLower(word[1:]))
	}
	return strings.Join(words, " ")
}
