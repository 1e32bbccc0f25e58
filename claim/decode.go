package claim

import (
	"bytes"
	"encoding/json"
	"sort"
	"strings"
)

// MaxBodyBytes bounds the body of a claim in either wire form.
const MaxBodyBytes = 2 << 20

// Decode reads a claim in either wire form: the flat object of [Claim], or
// Karla's event envelope, which is known by its "event_data". Both are taken
// leniently where their authors differ (unknown members, nulls, numbers as
// texts, lists left out) and strictly in types.
//
// shop is the slug of the route that the claim came by; a claim that names
// another shop is refused. Empty takes the shop from the body.
//
// The error is an [*InvalidError] with every fault, those of [Claim.Validate]
// included.
func Decode(data []byte, shop string) (*Claim, error) {
	var faults []Fault
	root, err := parseObject(data, &faults)
	if err != nil {
		return nil, &InvalidError{What: "claim", Faults: []Fault{{Field: "body", Problem: "is " + err.Error()}}}
	}
	var c *Claim
	if root.raw("event_data") != nil {
		c = readEnvelope(root)
	} else {
		c = readFlat(root)
	}
	switch {
	case shop == "":
	case c.Shop == "":
		c.Shop = shop
	case c.Shop != shop:
		root.fault("shop_slug", "names another shop than the address it was sent to")
		c.Shop = shop
	}
	faults = append(faults, c.faults(faults)...)
	if len(faults) > 0 {
		return nil, &InvalidError{What: "claim", Faults: faults}
	}
	return c, nil
}

func readFlat(o object) *Claim {
	c := readEvent(o)
	c.Customer = readCustomer(o.object("customer"))
	c.Order = readOrder(o.object("order"))
	c.Shop = o.text("shop_slug")
	if c.Order.Number == "" {
		c.Order.Number = o.text("order_number")
	}
	o.list("shipments", func(s object) { c.Shipments = append(c.Shipments, readShipment(s)) })
	o.list("shipment", func(s object) { c.Shipments = append(c.Shipments, readShipment(s)) })
	if len(c.Shipments) == 0 && (o.raw("tracking_number") != nil || o.raw("shipment_id") != nil) {
		c.Shipments = []Shipment{{
			ID: o.text("shipment_id"), Carrier: o.text("carrier_reference"),
			TrackingNumber: o.text("tracking_number"), TrackingURL: o.text("tracking_url"),
		}}
	}
	return c
}

func readEnvelope(o object) *Claim {
	c := readEvent(o.object("event_data"))
	c.Shop = o.text("shop_slug")
	context := o.object("context")
	c.Customer = readCustomer(context.object("customer"))
	c.Order = readOrder(context.object("order"))
	context.list("shipments", func(s object) { c.Shipments = append(c.Shipments, readShipment(s)) })
	return c
}

// readEvent reads the members that both forms spell alike.
func readEvent(o object) *Claim {
	c := &Claim{
		ID:                first(o.text("claim_id"), o.text("uuid")),
		Reason:            o.text("reason"),
		Flow:              first(o.text("flow"), o.text("flow_type"), o.text("flowType")),
		Preference:        o.text("resolution_preference"),
		Phase:             o.text("phase"),
		Status:            o.text("status"),
		Description:       o.text("description"),
		Locale:            first(o.text("locale"), o.text("language")),
		ImageURLs:         o.texts("image_urls"),
		OptionalImageURLs: o.texts("optional_image_urls"),
		SignatureURL:      o.text("customer_signature_image_url"),
		CreatedAt:         o.instant("created_at"),
		UpdatedAt:         o.instant("updated_at"),
	}
	o.list("selected_items", func(i object) { c.Items = append(c.Items, readItem(i)) })
	c.Answers = readAnswers(o)
	return c
}

func readItem(o object) Item {
	return Item{
		SKU:       o.text("sku"),
		Title:     o.text("title"),
		Quantity:  o.number("quantity", 1),
		NetPrice:  o.amount("net_price"),
		ImageURLs: o.texts("image_urls"),
	}
}

func readCustomer(o object) Customer {
	return Customer{
		ExternalID: o.text("external_id"),
		Email:      o.text("email"),
		FirstName:  o.text("first_name"),
		LastName:   o.text("last_name"),
		Phone:      o.text("phone"),
		Locale:     first(o.text("locale"), o.text("language")),
	}
}

func readOrder(o object) Order {
	return Order{
		ExternalID:         o.text("external_id"),
		ExternalCustomerID: o.text("external_customer_id"),
		Number:             first(o.text("order_number"), o.text("order_name")),
		PlacedAt:           o.instant("order_placed_at"),
		Total:              o.amount("total_order_price"),
		Currency:           strings.ToUpper(o.text("currency")),
		Locale:             first(o.text("locale"), o.text("language")),
		Address:            readAddress(o.object("address")),
	}
}

func readAddress(o object) Address {
	return Address{
		Name: o.text("name"), Street: o.text("street"), ZIPCode: o.text("zip_code"), City: o.text("city"),
		Province: o.text("province"), Country: o.text("country"), CountryCode: strings.ToUpper(o.text("country_code")),
		Phone: o.text("phone"),
	}
}

func readShipment(o object) Shipment {
	return Shipment{
		ID:             first(o.text("shipment_id"), o.text("id")),
		Carrier:        first(o.text("carrier_reference"), o.text("carrier")),
		TrackingNumber: o.text("tracking_number"),
		TrackingURL:    o.text("tracking_url"),
		Phase:          o.text("phase"),
	}
}

// readAnswers takes a list of {question, answer}, or an object of answers by
// question, whose order is that of the questions' letters.
func readAnswers(o object) []Answer {
	raw := o.raw("answers")
	if raw == nil {
		return nil
	}
	var out []Answer
	if raw[0] == '[' {
		o.list("answers", func(a object) {
			out = append(out, Answer{Question: first(a.text("question"), a.text("label")), Answer: first(a.text("answer"), a.text("value"))})
		})
		return out
	}
	answers := o.object("answers")
	questions := make([]string, 0, len(answers.members))
	for q := range answers.members {
		questions = append(questions, q)
	}
	sort.Strings(questions)
	for _, q := range questions {
		v := bytes.TrimSpace(answers.members[q])
		var many []string
		if len(v) > 0 && v[0] == '[' && json.Unmarshal(v, &many) == nil {
			out = append(out, Answer{Question: q, Answer: strings.Join(many, ", ")})
			continue
		}
		out = append(out, Answer{Question: q, Answer: answers.text(q)})
	}
	return out
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
