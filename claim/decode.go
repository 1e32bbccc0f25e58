package claim

import (
	"slices"
	"strings"
)

// MaxBodyBytes limits the body of a claim in either wire form.
const MaxBodyBytes = 2 << 20

// Decode reads a claim in either wire form: the flat object of [Claim], or Karla's
// event envelope, which has an "event_data" member. It tolerates differences between
// senders (unknown members, nulls, numbers as strings, missing lists, answers of any
// shape) but is strict about types. It cuts values that are too long to show, see
// [Truncation].
//
// shop is the slug of the receiving route. Decode rejects a claim that names another
// shop. If shop is empty, the body determines it.
//
// The error is an [*InvalidError] with every error, including those of
// [Claim.Validate].
func Decode(data []byte, shop string) (*Claim, error) {
	var fieldErrors []FieldError
	root, err := parseObject(data, &fieldErrors)
	if err != nil {
		return nil, &InvalidError{What: "claim", Errors: []FieldError{{Field: "body", Problem: err.Error()}}}
	}
	root.markKnown("event_data", "address", "order_number", "cut")
	envelope := root.raw("event_data") != nil
	event, context := root, root
	if envelope {
		event, context = root.object("event_data"), root.object("context")
	}
	c := readEvent(event)
	c.Shop = root.text("shop_slug")
	c.Customer = readCustomer(context.object("customer"))
	c.Order = readOrder(context.object("order"))
	if c.Order.Number == "" {
		c.Order.Number = event.text("order_number")
	}
	if c.Order.Address == (Address{}) {
		c.Order.Address = readAddress(event.object("address"))
	}
	c.Shipments = readShipments(event, context, envelope)
	switch {
	case shop == "":
	case c.Shop == "":
		c.Shop = shop
	case c.Shop != shop:
		root.addError("shop_slug", "must be the shop in the URL")
		c.Shop = shop
	}
	c.shorten(nil)
	fieldErrors = append(fieldErrors, dropKnown(c.fieldErrors(envelope), fieldErrors)...)
	if len(fieldErrors) > 0 {
		return nil, &InvalidError{What: "claim", Errors: fieldErrors}
	}
	if !envelope {
		c.Ignored = root.reads.ignored()
	}
	return c, nil
}

// readShipments reads the parcels from a list or object next to the claim, from
// members of the claim itself, or from an envelope's context. The shape of the
// context is not published, so unreadable parts of it are skipped instead of
// rejected.
func readShipments(event, context object, envelope bool) []Shipment {
	var out []Shipment
	add := func(o object) { out = append(out, readShipment(o)) }
	event.list("shipments", add)
	event.list("shipment", add)
	if envelope {
		context.fieldErrors = new([]FieldError)
		context.list("shipments", add)
		out = slices.DeleteFunc(out, func(s Shipment) bool { return s == Shipment{} })
	}
	own := Shipment{
		ID: event.text("shipment_id"), Carrier: event.text("carrier_reference"),
		TrackingNumber: event.text("tracking_number"), TrackingURL: event.text("tracking_url"),
	}
	if len(out) == 0 && (own.ID != "" || own.TrackingNumber != "") {
		out = append(out, own)
	}
	return out
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

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
