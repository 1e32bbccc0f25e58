package claim

import (
	"slices"
	"strings"
	"time"
)

// UpdateResult is the result of a change that a claim's owner reports.
type UpdateResult string

// Results of a change to a claim.
const (
	UpdateUnchanged  UpdateResult = "unchanged"     // the claim already has these values
	UpdateOlder      UpdateResult = "ignored_older" // a newer change is known
	UpdateEdited     UpdateResult = "edited"        // the claim was edited before its conversation was created
	UpdateWithdrawn  UpdateResult = "withdrawn"     // the claim was withdrawn before its conversation was created
	UpdateInstructed UpdateResult = "instructed"    // the change rules are carried out in its conversation
	UpdateKept       UpdateResult = "kept"          // the claim is abandoned, so there is no further effect
	UpdateErased     UpdateResult = "erased"        // the claim lost its content, so nothing is stored
)

// Updated reports a change to a claim.
type Updated struct {
	// Result is one of the Update constants, such as [UpdateUnchanged].
	Result UpdateResult `json:"result" enum:"unchanged,ignored_older,edited,withdrawn,instructed,kept,erased" doc:"The result of the update."`
	// Changed lists the fields that changed, by JSON path, sorted.
	Changed []string `json:"changed,omitempty" doc:"The fields that changed, by JSON path."`
	// InstructionID is the instruction for the conversation; empty if there is none.
	InstructionID string `json:"instruction_id,omitempty" doc:"The instruction for the conversation; omitted if there is none."`
	Claim         Record `json:"claim"`
	// Cut lists what was shortened or dropped because it was too long.
	Cut []Truncation `json:"cut,omitempty" doc:"Values that were shortened or dropped because they were too long."`
	// Ignored lists up to 20 members, by JSON path, that the flat form does not
	// define.
	Ignored []string `json:"ignored,omitempty" doc:"Unknown members by JSON path, at most 20."`
}

// DecodeUpdate reads a change from a claim's owner, in either wire form of [Decode],
// and returns the changed claim. Omitted members stay. A list replaces the old list.
// null removes the value, except in an envelope, where it means unknown. The claim's
// id, shop and [Claim.CreatedAt] stay. UpdatedAt becomes the owner's time of the
// change, or zero if not given.
//
// The error is an [*InvalidError] with every error of the changed claim.
func DecodeUpdate(data []byte, current *Claim) (*Claim, error) {
	var fieldErrors []FieldError
	root, err := parseObject(data, &fieldErrors)
	if err != nil {
		return nil, &InvalidError{What: "change", Errors: []FieldError{{Field: "body", Problem: err.Error()}}}
	}
	root.markKnown("event_data", "address", "order_number", "cut")
	u := update{envelope: root.raw("event_data") != nil}
	event, context := root, root
	if u.envelope {
		event, context = root.object("event_data"), root.object("context")
	}
	next := *current
	next.UpdatedAt = time.Time{}
	u.claim(&next, event)
	u.customer(&next.Customer, context.object("customer"))
	u.order(&next.Order, context.object("order"))
	if u.has(event, "order_number") && !u.has(context.object("order"), "order_number", "order_name") {
		next.Order.Number = event.text("order_number")
	}
	u.address(&next.Order.Address, event.object("address"))
	u.shipments(&next, event, context)
	if id := first(event.text("claim_id"), event.text("uuid")); id != "" && id != current.ID {
		event.addError("claim_id", "must be the id of the claim to update")
	}
	if slug := root.text("shop_slug"); slug != "" && slug != current.Shop && !u.envelope {
		root.addError("shop_slug", "must be the shop in the URL")
	}
	next.shorten(current)
	if !u.envelope {
		next.Ignored = root.reads.ignored()
		if len(next.Ignored) > 0 && !root.reads.any(identityFields...) {
			for _, name := range next.Ignored {
				fieldErrors = append(fieldErrors, FieldError{Field: name, Problem: "is not a member of a claim, and the update changes nothing else"})
			}
		}
	}
	fieldErrors = append(fieldErrors, dropKnown(next.fieldErrors(u.envelope), fieldErrors)...)
	if len(fieldErrors) > 0 {
		return nil, &InvalidError{What: "change", Errors: fieldErrors}
	}
	return &next, nil
}

// identityFields lists the members that say which claim changes and when, but change
// nothing.
var identityFields = []string{"claim_id", "uuid", "shop_slug", "updated_at", "created_at"}

// update applies the given members to the current claim.
type update struct{ envelope bool }

// has reports whether one of the members is given.
func (u update) has(o object, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, given := o.members[name]
		return given && (!u.envelope || o.raw(name) != nil)
	})
}

func (u update) text(to *string, value string, o object, names ...string) {
	if u.has(o, names...) {
		*to = value
	}
}

func (u update) claim(c *Claim, o object) {
	v := readEvent(o)
	u.text(&c.Reason, v.Reason, o, "reason")
	u.text(&c.Flow, v.Flow, o, "flow", "flow_type", "flowType")
	u.text(&c.Preference, v.Preference, o, "resolution_preference")
	u.text(&c.Phase, v.Phase, o, "phase")
	u.text(&c.Description, v.Description, o, "description")
	u.text(&c.Locale, v.Locale, o, "locale", "language")
	u.text(&c.SignatureURL, v.SignatureURL, o, "customer_signature_image_url")
	if v.Status != "" { // a claim cannot lose its status
		c.Status = v.Status
	}
	if u.has(o, "selected_items") {
		c.Items = v.Items
	}
	if u.has(o, "image_urls") {
		c.ImageURLs = v.ImageURLs
	}
	if u.has(o, "optional_image_urls") {
		c.OptionalImageURLs = v.OptionalImageURLs
	}
	if u.has(o, "answers") {
		c.Answers = v.Answers
	}
	c.UpdatedAt = v.UpdatedAt
}

func (u update) customer(c *Customer, o object) {
	v := readCustomer(o)
	u.text(&c.ExternalID, v.ExternalID, o, "external_id")
	u.text(&c.Email, v.Email, o, "email")
	u.text(&c.FirstName, v.FirstName, o, "first_name")
	u.text(&c.LastName, v.LastName, o, "last_name")
	u.text(&c.Phone, v.Phone, o, "phone")
	u.text(&c.Locale, v.Locale, o, "locale", "language")
}

func (u update) order(c *Order, o object) {
	v := readOrder(o)
	u.text(&c.ExternalID, v.ExternalID, o, "external_id")
	u.text(&c.ExternalCustomerID, v.ExternalCustomerID, o, "external_customer_id")
	u.text(&c.Number, v.Number, o, "order_number", "order_name")
	u.text(&c.Currency, v.Currency, o, "currency")
	u.text(&c.Locale, v.Locale, o, "locale", "language")
	if u.has(o, "order_placed_at") {
		c.PlacedAt = v.PlacedAt
	}
	if u.has(o, "total_order_price") {
		c.Total = v.Total
	}
	u.address(&c.Address, o.object("address"))
}

func (u update) address(c *Address, o object) {
	v := readAddress(o)
	u.text(&c.Name, v.Name, o, "name")
	u.text(&c.Street, v.Street, o, "street")
	u.text(&c.ZIPCode, v.ZIPCode, o, "zip_code")
	u.text(&c.City, v.City, o, "city")
	u.text(&c.Province, v.Province, o, "province")
	u.text(&c.Country, v.Country, o, "country")
	u.text(&c.CountryCode, v.CountryCode, o, "country_code")
	u.text(&c.Phone, v.Phone, o, "phone")
}

func (u update) shipments(c *Claim, event, context object) {
	given := u.has(event, "shipments", "shipment", "shipment_id", "tracking_number", "tracking_url", "carrier_reference")
	if u.envelope {
		// An envelope always has the list, often empty.
		v := readShipments(event, context, true)
		if len(v) > 0 {
			c.Shipments = v
		}
		return
	}
	if given {
		c.Shipments = readShipments(event, context, false)
	}
}

// AddedText returns what the customer added in a change: the parts of the description and
// the answers that are new. If text was appended to the old description, only the
// appended text counts.
func AddedText(before, after *Claim) string {
	var parts []string
	if after.Description != before.Description {
		parts = append(parts, strings.TrimSpace(strings.TrimPrefix(after.Description, before.Description)))
	}
	for _, a := range after.Answers {
		if a.Answer != "" && !slices.Contains(before.Answers, a) {
			parts = append(parts, a.Question+"\n"+a.Answer)
		}
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), "\n\n")
}

// NewEvidence returns a claim that contains only the files that a change added, or
// nil if it added none. A URL that differs only in its query is not new.
func NewEvidence(before, after *Claim) *Claim {
	known := map[string]bool{}
	for _, u := range before.EvidenceURLs() {
		known[withoutQuery(u)] = true
	}
	fresh := func(urls []string) []string {
		return slices.DeleteFunc(slices.Clone(urls), func(u string) bool { return u == "" || known[withoutQuery(u)] })
	}
	added := &Claim{ImageURLs: fresh(after.ImageURLs), OptionalImageURLs: fresh(after.OptionalImageURLs)}
	if s := fresh([]string{after.SignatureURL}); len(s) > 0 {
		added.SignatureURL = s[0]
	}
	for _, i := range after.Items {
		if urls := fresh(i.ImageURLs); len(urls) > 0 {
			added.Items = append(added.Items, Item{SKU: i.SKU, Title: i.Title, ImageURLs: urls})
		}
	}
	if len(added.EvidenceURLs()) == 0 {
		return nil
	}
	return added
}

// EvidenceURLs returns the addresses of all files of the claim, those of its items included.
func (c *Claim) EvidenceURLs() []string {
	urls := slices.Concat(c.ImageURLs, c.OptionalImageURLs)
	for _, i := range c.Items {
		urls = append(urls, i.ImageURLs...)
	}
	if c.SignatureURL != "" {
		urls = append(urls, c.SignatureURL)
	}
	return urls
}
