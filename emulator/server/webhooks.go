package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Webhook is a subscription to events.
type Webhook struct {
	ID        string                   `json:"id"`
	Name      string                   `json:"name"`
	Events    []string                 `json:"events"`
	URL       string                   `json:"url"`
	Headers   map[string]string        `json:"headers"`
	Custom    map[string]string        `json:"custom"`
	Secret    string                   `json:"secret"`
	Enabled   bool                     `json:"enabled"`
	CreatedAt time.Time                `json:"createdAt"`
	CreatedBy string                   `json:"createdBy"`
	UpdatedAt time.Time                `json:"updatedAt"`
	UpdatedBy string                   `json:"updatedBy"`
	Filters   map[string]WebhookFilter `json:"filters,omitempty"`
	// Deliveries are the latest deliveries, newest first. The switch
	// webhooks.keptDeliveries limits their number.
	Deliveries []Delivery `json:"deliveries"`
	// GivenUp is the number of consecutive events that could not be delivered.
	GivenUp int `json:"givenUp,omitempty"`
}

// WebhookFilter restricts a subscription to the events of certain conversations. Its
// JSON matches Dixa's.
type WebhookFilter struct {
	Strategy   string             `json:"strategy" validate:"required,oneof=All Any"`
	Conditions []WebhookCondition `json:"conditions" validate:"required,min=1,dive"`
	Type       string             `json:"_type" validate:"required,eq=CombinedFilters"`
}

// WebhookCondition is one condition of a filter. Its JSON matches Dixa's.
type WebhookCondition struct {
	Field  string   `json:"field" validate:"required,oneof=InitialChannel OperationOrigin QueueId"`
	Values []string `json:"values" validate:"required,min=1"`
	Type   string   `json:"_type" validate:"required,oneof=IsOneOf IsNotOneOf"`
}

// Delivery is one attempt to deliver an event.
type Delivery struct {
	Event   string    `json:"event"`
	EventID string    `json:"eventId"`
	At      time.Time `json:"at"`
	Success bool      `json:"success"`
	// Code is the receiver's status code, or 0 if there was no response.
	Code    int    `json:"code"`
	Text    string `json:"text"`
	Payload string `json:"payload"`
}

type webhookInput struct {
	Name          *string                   `json:"name"`
	Events        *[]string                 `json:"events" validate:"omitempty,unique"`
	URL           *string                   `json:"url"`
	Authorization *authorizationInput       `json:"authorization"`
	CustomHeaders *map[string]string        `json:"customHeaders"`
	Enabled       *bool                     `json:"enabled"`
	Filters       *map[string]WebhookFilter `json:"filters" validate:"omitempty,dive"`
}

type authorizationInput struct {
	Type     string  `json:"_type" validate:"required,oneof=BasicAuth TokenAuth NoAuth"`
	Username *string `json:"username" validate:"required_if=Type BasicAuth"`
	Password *string `json:"password" validate:"required_if=Type BasicAuth"`
	Value    *string `json:"value" validate:"required_if=Type TokenAuth"`
}

func (a authorizationInput) header() string {
	switch a.Type {
	case "BasicAuth":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(*a.Username+":"+*a.Password))
	case "TokenAuth":
		return "Bearer " + *a.Value
	}
	return ""
}

type webhookBody struct {
	ID        string                   `json:"id"`
	Name      string                   `json:"name"`
	Events    []string                 `json:"subscribedEvents"`
	URL       string                   `json:"url"`
	Headers   map[string]string        `json:"headers"`
	SecretKey string                   `json:"secretKey"`
	Enabled   bool                     `json:"enabled"`
	CreatedAt string                   `json:"createdAt"`
	CreatedBy string                   `json:"createdBy"`
	UpdatedAt string                   `json:"updatedAt"`
	UpdatedBy string                   `json:"updatedBy"`
	Filters   map[string]WebhookFilter `json:"filters,omitempty"`
}

func (w *Webhook) body() webhookBody {
	headers := map[string]string{}
	maps.Copy(headers, w.Custom)
	maps.Copy(headers, w.Headers)
	return webhookBody{
		w.ID, w.Name, w.Events, w.URL, headers, w.Secret, w.Enabled,
		seconds(w.CreatedAt), w.CreatedBy, seconds(w.UpdatedAt), w.UpdatedBy, w.Filters,
	}
}

// apply sets the fields that the input contains. Dixa names the events "events" in
// requests and "subscribedEvents" in responses.
func (w *Webhook) apply(input webhookInput) error {
	if input.URL != nil {
		target, err := url.Parse(*input.URL)
		if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
			return bad(messageInvalid)
		}
	}
	if input.Events != nil {
		for _, event := range *input.Events {
			if !slices.Contains(eventNames, event) {
				return bad(messageDecoding)
			}
		}
	}
	set(&w.Name, input.Name)
	set(&w.URL, input.URL)
	set(&w.Events, input.Events)
	set(&w.Custom, input.CustomHeaders)
	set(&w.Enabled, input.Enabled)
	set(&w.Filters, input.Filters)
	if input.Authorization != nil {
		w.Headers = map[string]string{}
		if header := input.Authorization.header(); header != "" {
			w.Headers["Authorization"] = header
		}
	}
	return nil
}

// lets reports whether the filters admit a conversation's events.
func (w *Webhook) lets(conversation *Conversation) bool {
	filter, filtered := w.Filters["Conversation"]
	if !filtered {
		return true
	}
	fields := map[string]string{
		"InitialChannel":  lowerSnake(conversation.Channel),
		"OperationOrigin": conversation.Origin,
		"QueueId":         conversation.QueueID,
	}
	holds := func(condition WebhookCondition) bool {
		return containsID(condition.Values, fields[condition.Field]) == (condition.Type == "IsOneOf")
	}
	if filter.Strategy == "Any" {
		return slices.ContainsFunc(filter.Conditions, holds)
	}
	return !slices.ContainsFunc(filter.Conditions, func(c WebhookCondition) bool { return !holds(c) })
}

func (s *Server) pathWebhook(c *call) (*Webhook, error) {
	return named(c, "webhookSubscriptionId", s.webhook)
}

func (s *Server) webhook(id string) *Webhook {
	return first(s.state.Webhooks, func(w *Webhook) bool { return w.ID == id })
}

func (s *Server) listWebhooks(*call) (reply, error) {
	return ok(inOrder(s, each(s.state.Webhooks, (*Webhook).body)))
}

// createWebhook also accepts a subscription without customHeaders. The contract
// requires them, but working integrations omit them.
func (s *Server) createWebhook(c *call, input webhookInput) (reply, error) {
	if input.Name == nil || input.URL == nil || input.Authorization == nil {
		return reply{}, bad(messageDecoding)
	}
	webhook := &Webhook{
		Events: []string{}, Enabled: true, Deliveries: []Delivery{},
		CreatedAt: c.now, UpdatedAt: c.now, CreatedBy: c.actor, UpdatedBy: c.actor,
	}
	if err := webhook.apply(input); err != nil {
		return reply{}, err
	}
	webhook.ID = s.newID()
	secret := sha256.Sum256([]byte(webhook.ID))
	webhook.Secret = hex.EncodeToString(secret[:])
	s.state.Webhooks = append(s.state.Webhooks, webhook)
	return created(webhook.body())
}

func (s *Server) getWebhook(_ *call, webhook *Webhook) (reply, error) {
	return ok(webhook.body())
}

func (s *Server) patchWebhook(c *call, webhook *Webhook, input webhookInput) (reply, error) {
	changed := *webhook
	if err := changed.apply(input); err != nil {
		return reply{}, err
	}
	changed.UpdatedAt, changed.UpdatedBy = c.now, c.actor
	*webhook = changed
	return ok(webhook.body())
}

func (s *Server) deleteWebhook(_ *call, webhook *Webhook) (reply, error) {
	s.state.Webhooks = slices.DeleteFunc(s.state.Webhooks, func(w *Webhook) bool { return w.ID == webhook.ID })
	return empty(http.StatusNoContent)
}

type deliveryBody struct {
	At      string  `json:"deliveryTimestamp,omitempty"`
	Success *bool   `json:"success,omitempty"`
	Code    *int    `json:"responseCode,omitempty"`
	Text    *string `json:"responseText,omitempty"`
	Type    string  `json:"_type,omitempty"`
}

func (d Delivery) body(kind string) deliveryBody {
	return deliveryBody{millis(d.At), &d.Success, &d.Code, &d.Text, kind}
}

// forgetDeliveries deletes deliveries that are older than the switch
// webhooks.logRetention.
func (s *Server) forgetDeliveries(c *call, webhook *Webhook) {
	keep := time.Duration(c.switches.Webhooks.LogRetention)
	if keep <= 0 {
		return
	}
	webhook.Deliveries = slices.DeleteFunc(webhook.Deliveries, func(d Delivery) bool { return c.now.Sub(d.At) > keep })
}

func (s *Server) webhookStatus(c *call, webhook *Webhook) (reply, error) {
	s.forgetDeliveries(c, webhook)
	type statusBody struct {
		Event  string       `json:"event"`
		Status deliveryBody `json:"deliveryStatus"`
	}
	bodies := []statusBody{}
	for _, event := range webhook.Events {
		last := deliveryBody{Type: "NoRecentDelivery"}
		at := slices.IndexFunc(webhook.Deliveries, func(d Delivery) bool { return d.Event == event })
		if at >= 0 {
			last = webhook.Deliveries[at].body("DeliveryDetail")
		}
		bodies = append(bodies, statusBody{event, last})
	}
	return ok(bodies)
}

func (s *Server) webhookLogs(c *call, webhook *Webhook) (reply, error) {
	event := c.request.PathValue("event")
	if !slices.Contains(eventNames, event) {
		return reply{}, bad(messageInvalid)
	}
	type logBody struct {
		Detail  deliveryBody `json:"deliveryDetail"`
		Payload string       `json:"payload"`
	}
	s.forgetDeliveries(c, webhook)
	bodies := []logBody{}
	for _, delivery := range webhook.Deliveries {
		if delivery.Event == event {
			bodies = append(bodies, logBody{delivery.body(""), delivery.Payload}) // published without _type
		}
	}
	return ok(bodies)
}
