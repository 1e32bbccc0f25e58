package claim

import "time"

// Claim is a shop's resolution claim: what the customer says is wrong with an order
// and how the customer wants it resolved. It is the only domain type behind both
// wire forms that [Decode] accepts. It marshals to the flat form.
//
// Reason, Flow, Preference and Phase are open vocabularies. Unknown values are
// stored unchanged and rendered with the general template.
//
// The `long` tag says what happens to a text or list that is too long, see [Truncation].
type Claim struct {
	// ID identifies the claim within its shop. The shop or Karla assigns it. It
	// becomes part of workflow ids, so it never contains personal data.
	ID string `json:"claim_id" validate:"required,identifier"`
	// Shop is the slug of the shop. The receiving route sets it.
	Shop string `json:"shop_slug" validate:"required,slug"`
	// Reason is why the customer complains: "damaged", "not_received", ….
	Reason string `json:"reason" validate:"required,max=100" long:"cut"`
	// Flow is the form that the customer completed. If empty, Reason determines it,
	// see [Claim.FlowKey].
	Flow string `json:"flow,omitempty" validate:"max=100" long:"cut"`
	// Preference is what the customer wants: "refund", "reorder", ….
	Preference string `json:"resolution_preference,omitempty" validate:"max=100" long:"cut"`
	// Phase is where the parcel was when the claim was made: "delivered", …. If
	// empty, the first shipment with a phase determines it.
	Phase string `json:"phase,omitempty" validate:"max=100" long:"cut"`
	// Status is the owner's status of the claim: "pending", "accepted", ….
	Status string `json:"status,omitempty" validate:"max=100" long:"cut"`
	// Description is the customer's text, as plain text, at most 200,000 characters.
	Description string `json:"description,omitempty" validate:"max=200000" long:"cut"`
	// Locale is the language in which the customer filled in the claim, as a BCP 47
	// tag. An unreadable tag counts as missing.
	Locale string `json:"locale,omitempty" validate:"max=35" long:"drop"`
	// Items are the affected units.
	Items []Item `json:"selected_items,omitempty" validate:"max=200,dive" long:"cut"`
	// ImageURLs are photos of the claim as a whole.
	ImageURLs []string `json:"image_urls,omitempty" validate:"max=100,dive,max=4096" long:"drop"`
	// OptionalImageURLs are photos that the customer added voluntarily.
	OptionalImageURLs []string `json:"optional_image_urls,omitempty" validate:"max=100,dive,max=4096" long:"drop"`
	// SignatureURL is the image of the customer's signature.
	SignatureURL string `json:"customer_signature_image_url,omitempty" validate:"max=4096" long:"drop"`
	// Answers are the customer's answers to the shop's own questions, in order.
	Answers []Answer `json:"answers,omitempty" validate:"max=100,dive" long:"cut"`
	// Customer is the person who makes the claim.
	Customer Customer `json:"customer"`
	// Order is the order that the claim is about.
	Order Order `json:"order"`
	// Shipments are the parcels of the order that the claim is about.
	Shipments []Shipment `json:"shipments,omitempty" validate:"max=50,dive" long:"cut"`
	// CreatedAt and UpdatedAt are the owner's timestamps; zero if not given.
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	// Cut lists what was shortened or dropped when the claim was read.
	Cut []Truncation `json:"cut,omitempty" readOnly:"true" hidden:"true"`
	// Ignored lists, by JSON path, the members of the body that the flat form does
	// not define. They are not stored.
	Ignored []string `json:"-"`
}

// Item is an article of the order with its affected units.
type Item struct {
	SKU      string `json:"sku,omitempty" validate:"required_without=Title,max=200" long:"cut"`
	Title    string `json:"title,omitempty" validate:"required_without=SKU,max=500" long:"cut"`
	Quantity int    `json:"quantity" validate:"min=1,max=100000"`
	// NetPrice is the price of one unit, net of tax, in the order's currency. It is
	// internal: the customer never sees it.
	NetPrice Amount `json:"net_price,omitempty" validate:"omitempty,amount"`
	// ImageURLs are photos of this article.
	ImageURLs []string `json:"image_urls,omitempty" validate:"max=50,dive,max=4096" long:"drop"`
}

// Answer is the customer's answer to one of the shop's own questions.
type Answer struct {
	Question string `json:"question" validate:"required,max=1000" long:"cut"`
	Answer   string `json:"answer" validate:"max=20000" long:"cut"`
}

// Customer is the person who makes the claim. Guests have no external id, and any
// field may be missing.
type Customer struct {
	ExternalID string `json:"external_id,omitempty" validate:"max=200" long:"drop"`
	Email      string `json:"email,omitempty" validate:"omitempty,email,max=320"`
	FirstName  string `json:"first_name,omitempty" validate:"max=200" long:"cut"`
	LastName   string `json:"last_name,omitempty" validate:"max=200" long:"cut"`
	// Phone is stored as given and converted to E.164 on use.
	Phone string `json:"phone,omitempty" validate:"max=50" long:"drop"`
	// Locale is the customer's language as a BCP 47 tag.
	Locale string `json:"locale,omitempty" validate:"max=35" long:"drop"`
}

// Order is the order that the claim is about.
type Order struct {
	ExternalID         string    `json:"external_id,omitempty" validate:"max=200" long:"drop"`
	ExternalCustomerID string    `json:"external_customer_id,omitempty" validate:"max=200" long:"drop"`
	Number             string    `json:"order_number,omitempty" validate:"max=100" long:"cut"`
	PlacedAt           time.Time `json:"order_placed_at,omitzero"`
	// Total is the amount that the customer paid, in Currency. It is internal.
	Total    Amount  `json:"total_order_price,omitempty" validate:"omitempty,amount"`
	Currency string  `json:"currency,omitempty" validate:"omitempty,iso4217"`
	Locale   string  `json:"locale,omitempty" validate:"max=35" long:"drop"`
	Address  Address `json:"address,omitzero"`
}

// Address is the delivery address of the order. Only the country affects behavior.
type Address struct {
	Name        string `json:"name,omitempty" validate:"max=300" long:"cut"`
	Street      string `json:"street,omitempty" validate:"max=500" long:"cut"`
	ZIPCode     string `json:"zip_code,omitempty" validate:"max=50" long:"cut"`
	City        string `json:"city,omitempty" validate:"max=200" long:"cut"`
	Province    string `json:"province,omitempty" validate:"max=200" long:"cut"`
	Country     string `json:"country,omitempty" validate:"max=100" long:"cut"`
	CountryCode string `json:"country_code,omitempty" validate:"max=10" long:"drop"`
	Phone       string `json:"phone,omitempty" validate:"max=50" long:"drop"`
}

// Shipment is a parcel of the order.
type Shipment struct {
	ID             string `json:"shipment_id,omitempty" validate:"max=200" long:"drop"`
	Carrier        string `json:"carrier_reference,omitempty" validate:"max=100" long:"cut"`
	TrackingNumber string `json:"tracking_number,omitempty" validate:"max=200" long:"cut"`
	TrackingURL    string `json:"tracking_url,omitempty" validate:"max=4096" long:"drop"`
	Phase          string `json:"phase,omitempty" validate:"max=100" long:"cut"`
}

// Amount is an amount of money as a decimal string such as "19.90", in the currency
// of the order.
type Amount string

// ShipmentPhase returns the claim's own phase, otherwise the phase of the first
// shipment that has one, otherwise "".
func (c *Claim) ShipmentPhase() string {
	if c.Phase != "" {
		return c.Phase
	}
	for _, s := range c.Shipments {
		if s.Phase != "" {
			return s.Phase
		}
	}
	return ""
}
