package portal

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (p *Portal) endpointRoutes() {
	const (
		page     = claim.PageEndpoints
		may      = claim.MayConfigure
		operate  = claim.MayOperate
		each     = "endpoints/{endpoint}"
		delivery = each + "/deliveries/{delivery}"
	)
	p.livePage(page, "endpoints", (*visit).endpoints)
	p.page(page, "GET endpoints/new", may, (*visit).newEndpoint)
	p.page(page, "POST endpoints/new", may, (*visit).addEndpoint)
	p.livePage(page, each, (*visit).endpoint)
	p.page(page, "GET "+each+"/edit", may, (*visit).editEndpoint)
	p.page(page, "POST "+each+"/edit", may, (*visit).saveEndpoint)
	p.page(page, "POST "+each+"/pause", may, (*visit).pauseEndpoint)
	p.page(page, "POST "+each+"/resume", may, (*visit).resumeEndpoint)
	p.page(page, "POST "+each+"/rotate", may, (*visit).rotateEndpoint)
	p.page(page, "POST "+each+"/delete", may, (*visit).deleteEndpoint)
	p.page(page, "POST "+each+"/test", operate, (*visit).testEndpoint)
	p.page(page, "POST "+each+"/replay", operate, (*visit).replayEvents)
	p.livePage(page, delivery, (*visit).delivery)
	p.page(page, "POST "+delivery+"/replay", operate, (*visit).replayDelivery)
}

// endpointKinds are the kinds that a person can add, the usual one first.
func endpointKinds() []claim.EndpointKind {
	return []claim.EndpointKind{claim.EndpointEmail, claim.EndpointWebhook, claim.EndpointKarla, claim.EndpointTruto}
}

// endpointsData is what the list of endpoints shows.
type endpointsData struct {
	Endpoints []client.Endpoint
	Kinds     []claim.EndpointKind
}

func (v *visit) endpoints() error {
	endpoints, err := v.api.Endpoints(v.r.Context(), v.session.Shop)
	if err != nil {
		return err
	}
	v.show(http.StatusOK, "endpoints", view{Title: v.words.say("page.endpoints"), Live: true, Data: endpointsData{endpoints, endpointKinds()}})
	return nil
}

// endpointForm is what the form of an endpoint shows.
type endpointForm struct {
	form
	// ID is empty for a new endpoint.
	ID   string
	Kind claim.EndpointKind
	// Types are those that can be chosen, Chosen those that are.
	Types, Chosen []string
	// Records says that the endpoint receives records, so that only the platform may
	// change its address and types.
	Records bool
}

var endpointFields = []string{"kind", "url", "description", "event_types", "karla_shop", "user", "password"}

func (v *visit) newEndpoint() error {
	return v.showEndpointForm(http.StatusOK, endpointForm{Kind: v.kindOfForm(v.r.URL.Query().Get("kind"))})
}

func (v *visit) kindOfForm(text string) claim.EndpointKind {
	if kind := claim.EndpointKind(text); slices.Contains(endpointKinds(), kind) {
		return kind
	}
	return claim.EndpointEmail
}

func (v *visit) showEndpointForm(status int, d endpointForm) error {
	for _, t := range claim.OutboundTypes() {
		if d.Kind.Wants([]string{t}, t) {
			d.Types = append(d.Types, t)
		}
	}
	title := v.words.say("endpoint.edit.title")
	if d.ID == "" {
		title = v.words.say("endpoint.new." + string(d.Kind))
	}
	v.show(status, "endpoint-form", view{Title: title, Data: d})
	return nil
}

func (v *visit) addEndpoint() error {
	value := func(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }
	e := client.NewEndpoint{
		Kind: v.kindOfForm(value("kind")), URL: value("url"), Description: value("description"), EventTypes: v.list("event_types"),
	}
	if e.Kind == claim.EndpointKarla {
		e.KarlaShop, e.User, e.Password = value("karla_shop"), value("user"), v.r.PostFormValue("password")
	}
	added, err := v.api.AddEndpoint(v.r.Context(), v.session.Shop, e)
	if err != nil {
		return v.refusedEndpoint(err, endpointForm{Kind: e.Kind})
	}
	if added.Secret != "" {
		return v.showSecret(added)
	}
	return v.done("endpoints/"+added.ID, "endpoint_added")
}

// refusedEndpoint shows the form again, without a password.
func (v *visit) refusedEndpoint(err error, d endpointForm) error {
	return v.refusedFields(err, "fault.endpoint.", endpointFields, func(f form) error {
		delete(f.Values, "password")
		d.form, d.Chosen = f, v.list("event_types")
		return v.showEndpointForm(http.StatusUnprocessableEntity, d)
	})
}

// showSecret shows a new secret. It is shown in this answer only.
func (v *visit) showSecret(e client.EndpointWithSecret) error {
	v.show(http.StatusOK, "endpoint-secret", view{Title: v.words.say("endpoint.secret.title"), Data: e})
	return nil
}

func (v *visit) editEndpoint() error {
	e, err := v.api.Endpoint(v.r.Context(), v.session.Shop, v.r.PathValue("endpoint"))
	if err != nil {
		return err
	}
	return v.showEndpointForm(http.StatusOK, endpointForm{
		ID: e.ID, Kind: e.Kind, Chosen: e.EventTypes, Records: claim.WantsRecords(e.EventTypes),
		form: form{Values: map[string]string{"url": addressOf(e), "description": e.Description, "karla_shop": e.KarlaShop}},
	})
}

// addressOf returns the address of an endpoint for people.
func addressOf(e client.Endpoint) string { return strings.TrimPrefix(e.URL, "mailto:") }

func (v *visit) saveEndpoint() error {
	e, err := v.api.Endpoint(v.r.Context(), v.session.Shop, v.r.PathValue("endpoint"))
	if err != nil {
		return err
	}
	value := func(name string) *string {
		text := strings.TrimSpace(v.r.PostFormValue(name))
		return &text
	}
	patch := client.EndpointPatch{Description: value("description")}
	records := claim.WantsRecords(e.EventTypes)
	if !records {
		types := append([]string{}, v.list("event_types")...) // none is a change too
		patch.EventTypes = &types
		// An address that did not change is not checked again.
		if address := value("url"); *address != addressOf(e) {
			patch.URL = address
		}
	}
	if e.Kind == claim.EndpointKarla {
		patch.KarlaShop = value("karla_shop")
		if user := value("user"); *user != "" {
			patch.User = user
		}
		if password := v.r.PostFormValue("password"); password != "" {
			patch.Password = &password
		}
	}
	if _, err := v.api.UpdateEndpoint(v.r.Context(), v.session.Shop, e.ID, patch); err != nil {
		return v.refusedEndpoint(err, endpointForm{ID: e.ID, Kind: e.Kind, Records: records})
	}
	return v.done("endpoints/"+e.ID, "saved")
}

// endpointData is what the page of an endpoint shows.
type endpointData struct {
	client.Endpoint
	Address string
	// Why says why the endpoint is paused; empty if nobody knows.
	Why string
	// Filter is the state of the deliveries; empty for all.
	Filter     claim.DeliveryState
	States     []claim.DeliveryState
	Deliveries []client.Delivery
	// Older and Newest are the addresses of other pages of the list; empty if there are
	// none.
	Older, Newest string
	// Replay is the form that sends events again.
	Replay form
}

// deliveriesShown is the length of a page of deliveries.
const deliveriesShown = 25

func (v *visit) endpoint() error { return v.showEndpoint(http.StatusOK, form{}) }

func (v *visit) showEndpoint(status int, replay form) error {
	ctx, shop, query := v.r.Context(), v.session.Shop, v.r.URL.Query()
	e, err := v.api.Endpoint(ctx, shop, v.r.PathValue("endpoint"))
	if err != nil {
		return err
	}
	d := endpointData{
		Endpoint: e, Address: addressOf(e), Why: v.whyPaused(e.Reason), Replay: replay,
		States: []claim.DeliveryState{claim.DeliveryWaiting, claim.DeliveryDelivered, claim.DeliveryDead},
	}
	if state := claim.DeliveryState(query.Get("state")); slices.Contains(d.States, state) {
		d.Filter = state
	}
	page, err := v.api.DeliveriesPage(ctx, shop, e.ID, client.DeliveryFilter{State: d.Filter, Limit: deliveriesShown, Cursor: query.Get("cursor")})
	if err != nil {
		return err
	}
	d.Deliveries = page.Deliveries
	at := func(cursor string) string {
		return "/portal/endpoints/" + e.ID + "?" + address("state", string(d.Filter), "cursor", cursor)
	}
	if page.Next != "" {
		d.Older = at(page.Next)
	}
	if query.Get("cursor") != "" {
		d.Newest = at("")
	}
	v.show(status, "endpoint", view{Title: cmp.Or(e.Description, v.words.say("endpoint.kind."+string(e.Kind))), Live: true, Data: d})
	return nil
}

// whyPaused says for people why an endpoint is paused.
func (v *visit) whyPaused(reason string) string {
	actor, byPerson := strings.CutPrefix(reason, "paused by ")
	switch {
	case !byPerson:
		return v.words.problem(reason)
	case actor == actorOf(v.session):
		return v.words.say("endpoint.paused.you")
	}
	return v.words.say("endpoint.paused.by", v.personOf(actor))
}

// address returns the query of an address from names and values, without empty values.
func address(pairs ...string) string {
	query := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			query.Set(pair[0], pair[1])
		}
	}
	return query.Encode()
}

func (v *visit) pauseEndpoint() error {
	return v.setEndpointState(claim.EndpointPaused, "endpoint_paused")
}

func (v *visit) resumeEndpoint() error {
	return v.setEndpointState(claim.EndpointActive, "endpoint_resumed")
}

func (v *visit) setEndpointState(state claim.EndpointState, message string) error {
	e, err := v.api.UpdateEndpoint(v.r.Context(), v.session.Shop, v.r.PathValue("endpoint"), client.EndpointPatch{State: &state})
	if err != nil {
		return err
	}
	return v.done("endpoints/"+e.ID, message)
}

func (v *visit) rotateEndpoint() error {
	keep, err := strconv.Atoi(v.r.PostFormValue("keep_hours"))
	if err != nil {
		keep = 24
	}
	rotated, err := v.api.RotateEndpoint(v.r.Context(), v.session.Shop, v.r.PathValue("endpoint"), keep)
	if err != nil {
		return err
	}
	return v.showSecret(rotated)
}

func (v *visit) deleteEndpoint() error {
	if err := v.api.RemoveEndpoint(v.r.Context(), v.session.Shop, v.r.PathValue("endpoint")); err != nil {
		return err
	}
	return v.done("endpoints", "endpoint_deleted")
}

func (v *visit) testEndpoint() error {
	id := v.r.PathValue("endpoint")
	sent, err := v.api.TestEndpoint(v.r.Context(), v.session.Shop, id)
	if err != nil {
		return err
	}
	return v.redirect(deliveryPath(id, sent.ID)) // the page says how far it is
}

func deliveryPath(endpoint, delivery string) string {
	return "endpoints/" + url.PathEscape(endpoint) + "/deliveries/" + url.PathEscape(delivery)
}

// replayEvents sends the events of a time range again.
func (v *visit) replayEvents() error {
	id := v.r.PathValue("endpoint")
	fields := []string{"since", "until"}
	zone := v.zoneOfForm()
	since, sinceOK := timeOfForm(v.r.PostFormValue("since"), zone)
	until, untilOK := timeOfForm(v.r.PostFormValue("until"), zone)
	f := form{Values: map[string]string{}, Faults: map[string]string{}}
	for _, name := range fields {
		f.Values[name] = v.r.PostFormValue(name)
	}
	if !sinceOK || since.IsZero() {
		f.Faults["since"] = v.words.say("fault.endpoint.since")
	}
	if !untilOK {
		f.Faults["until"] = v.words.say("fault.endpoint.since")
	}
	if len(f.Faults) > 0 {
		return v.showEndpoint(http.StatusUnprocessableEntity, f)
	}
	n, err := v.api.Replay(v.r.Context(), v.session.Shop, id, client.ReplayRequest{Since: since, Until: until})
	if err != nil {
		return v.refusedFields(err, "fault.endpoint.", fields, func(f form) error { return v.showEndpoint(http.StatusUnprocessableEntity, f) })
	}
	if n == 0 {
		return v.done("endpoints/"+url.PathEscape(id), "endpoint_replayed_none")
	}
	return v.done("endpoints/"+url.PathEscape(id), "endpoint_replayed")
}

// deliveryData is what the page of a delivery shows.
type deliveryData struct {
	client.Delivery
	Endpoint string
	// Text is the event as it is sent, indented. It is empty for a record.
	Text string
	// Paused says that the endpoint is paused.
	Paused bool
}

// Failed reports whether the receiver did not accept the delivery so far.
func (d *deliveryData) Failed() bool {
	return d.State == claim.DeliveryWaiting && (d.LastError != "" || d.LastStatus >= 300)
}

func (v *visit) delivery() error {
	id := v.r.PathValue("endpoint")
	d, err := v.api.Delivery(v.r.Context(), v.session.Shop, id, v.r.PathValue("delivery"))
	if err != nil {
		return err
	}
	e, err := v.api.Endpoint(v.r.Context(), v.session.Shop, id)
	if err != nil {
		return err
	}
	shown := &deliveryData{Delivery: d, Endpoint: id, Text: indented(d.Body), Paused: e.State == claim.EndpointPaused}
	v.show(http.StatusOK, "delivery", view{Title: v.words.say("event." + d.Type), Live: true, Data: shown})
	return nil
}

func (v *visit) replayDelivery() error {
	id := v.r.PathValue("endpoint")
	d, err := v.api.ReplayDelivery(v.r.Context(), v.session.Shop, id, v.r.PathValue("delivery"))
	if err != nil {
		return err
	}
	return v.redirect(deliveryPath(id, d.ID)) // the page says how far it is
}
