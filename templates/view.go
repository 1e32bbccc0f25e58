package templates

import (
	"cmp"
	"reflect"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/claim"
)

// View is the data of a template. The subject, body and tags see only [Message]; the
// internal note also sees Internal. Every text in it is cleaned. Every documented
// key exists for every claim and is empty if the claim has no value for it.
// docs/templates.md lists the keys.
type View struct {
	Message
	Internal Internal `doc:"the data for the internal note only"`
}

// Message is the part of a [View] that the customer provided or already knows.
type Message struct {
	Reference       string       `doc:"the claim's short code, such as CF-7QK2M4XWZ3TA; every body contains it"`
	Language        string       `doc:"the language of the template, such as de"`
	Shop            string       `doc:"the shop's name"`
	Reason          Word         `doc:"the reason for the claim"`
	Flow            Word         `doc:"the form that the customer completed"`
	Preference      Word         `doc:"the resolution that the customer prefers"`
	Phase           Word         `doc:"the shipment phase of the parcel"`
	Description     string       `doc:"the customer's description; may have several lines, see lines" text:"lines"`
	Items           []Item       `doc:"the affected items"`
	Answers         []Answer     `doc:"the answers to the shop's custom questions"`
	Shipments       []Shipment   `doc:"the parcels of the claim"`
	OtherClaims     []OtherClaim `doc:"the order's other claims; empty in what an agent sends"`
	OtherClaimsLine string       `doc:"one line that names the order's other claims; empty if there are none, and in what an agent sends. A body in the customer's voice that uses neither this key nor OtherClaims starts with this line automatically"`
	Photos          int          `doc:"the number of photos from the customer"`
	Signed          bool         `doc:"whether the customer signed"`
	Customer        Customer     `doc:"the customer"`
	Order           Order        `doc:"the order"`
}

// Item is an affected item.
type Item struct {
	Name     string `doc:"the title, or the SKU if there is no title"`
	Title    string `doc:"the title"`
	SKU      string `doc:"the SKU"`
	Quantity int    `doc:"the number of affected units"`
	Photos   int    `doc:"the number of photos of the item"`
}

// Answer is an answer to one of the shop's own questions.
type Answer struct {
	Question string `doc:"the shop's question"`
	Answer   string `doc:"the customer's answer; may have several lines, see lines" text:"lines"`
}

// Shipment is a parcel.
type Shipment struct {
	Carrier        string `doc:"the carrier, such as DHL"`
	TrackingNumber string `doc:"the tracking number"`
	TrackingURL    string `doc:"the tracking URL; empty unless it is an http or https URL"`
	Phase          Word   `doc:"the shipment phase of the parcel"`
}

// OtherClaim is another claim of the same order. It has no reference: a reference
// identifies its claim's conversation, so no other conversation may contain it.
type OtherClaim struct {
	ClaimID      string `doc:"its ID in the owner's system"`
	Conversation string `doc:"the number of its conversation in Dixa; empty if it has none yet"`
	State        Word   `doc:"its state"`
}

// Customer is the person who makes the claim.
type Customer struct {
	Name      string `doc:"first and last name"`
	FirstName string `doc:"first name"`
	LastName  string `doc:"last name"`
	Email     string `doc:"email address"`
	Phone     string `doc:"telephone number as provided"`
}

// Order is the order of the claim.
type Order struct {
	Number   string `doc:"the order number without a leading #"`
	PlacedOn string `doc:"the order date in the format of the language"`
}

// Internal is the data that the customer does not know or must not see.
type Internal struct {
	ClaimID  string          `doc:"the claim's ID in the owner's system"`
	ShopSlug string          `doc:"the shop's slug"`
	Value    string          `doc:"the net value of the affected items, otherwise of the order; empty if there are no prices"`
	Total    string          `doc:"the total of the order"`
	Currency string          `doc:"the currency of every amount, such as EUR"`
	Country  string          `doc:"the country code of the order's address"`
	Status   string          `doc:"the claim's status at its owner, such as pending"`
	Items    []InternalPrice `doc:"the affected items with their prices"`
}

// InternalPrice is an affected item with its price.
type InternalPrice struct {
	Name     string `doc:"the title, or the SKU if there is no title"`
	Quantity int    `doc:"the number of affected units"`
	NetPrice string `doc:"the net price of one unit; empty if unknown"`
}

// The maximum lengths of a view's lists. The bounds of a template's work depend on
// them.
const (
	maxItems       = 200
	maxAnswers     = 100
	maxShipments   = 50
	maxOtherClaims = 20
)

var listBounds = map[reflect.Type]int{
	reflect.TypeFor[[]Item]():          maxItems,
	reflect.TypeFor[[]InternalPrice](): maxItems,
	reflect.TypeFor[[]Answer]():        maxAnswers,
	reflect.TypeFor[[]Shipment]():      maxShipments,
	reflect.TypeFor[[]OtherClaim]():    maxOtherClaims,
}

// ViewInput is the input of a [View] besides the claim.
type ViewInput struct {
	// ShopName is the shop's display name; if empty, its slug is used.
	ShopName string
	// Language is the language of the selected template.
	Language string
	// Reference is the claim's short code; if empty, [claim.Ref.Reference] is used.
	Reference string
	// OtherClaims are the order's other claims.
	OtherClaims []claim.OtherClaim
}

// NewView creates the view of a claim. It copies and cleans its input.
func NewView(c *claim.Claim, in ViewInput) View {
	words := wordsIn(in.Language)
	v := View{Message: Message{
		Reference: cmp.Or(in.Reference, claim.Ref{Shop: c.Shop, ID: c.ID}.Reference()), Language: in.Language, Shop: cmp.Or(in.ShopName, c.Shop),
		Reason:      word(c.Reason, words.Reasons).capitalized(),
		Flow:        word(c.FlowKey(), words.Reasons).capitalized(),
		Preference:  word(c.Preference, words.Preferences),
		Phase:       word(c.ShipmentPhase(), words.Phases),
		Description: c.Description,
		Photos:      len(c.ImageURLs) + len(c.OptionalImageURLs),
		Signed:      c.SignatureURL != "",
		Customer: Customer{
			Name:      c.Customer.FirstName + " " + c.Customer.LastName,
			FirstName: c.Customer.FirstName, LastName: c.Customer.LastName,
			Email: c.Customer.Email, Phone: c.Customer.Phone,
		},
		Order: Order{Number: strings.TrimLeft(c.Order.Number, "# ")},
	}, Internal: Internal{
		ClaimID: c.ID, ShopSlug: c.Shop, Total: string(c.Order.Total), Currency: c.Order.Currency,
		Country: c.Order.Address.CountryCode, Status: c.Status,
	}}
	if !c.Order.PlacedAt.IsZero() {
		v.Order.PlacedOn = c.Order.PlacedAt.UTC().Format(words.Date)
	}
	if value, priced := c.Value(); priced {
		v.Internal.Value = value.StringFixed(2)
	}
	for _, i := range bounded(c.Items, maxItems) {
		name := cmp.Or(i.Title, i.SKU)
		v.Photos += len(i.ImageURLs)
		v.Items = append(v.Items, Item{Name: name, Title: i.Title, SKU: i.SKU, Quantity: i.Quantity, Photos: len(i.ImageURLs)})
		v.Internal.Items = append(v.Internal.Items, InternalPrice{Name: name, Quantity: i.Quantity, NetPrice: string(i.NetPrice)})
	}
	for _, a := range bounded(c.Answers, maxAnswers) {
		v.Answers = append(v.Answers, Answer{Question: a.Question, Answer: a.Answer})
	}
	for _, s := range bounded(c.Shipments, maxShipments) {
		v.Shipments = append(v.Shipments, Shipment{
			Carrier: carrier(s.Carrier), TrackingNumber: s.TrackingNumber,
			TrackingURL: webAddress(s.TrackingURL), Phase: word(s.Phase, words.Phases),
		})
	}
	for _, o := range bounded(in.OtherClaims, maxOtherClaims) {
		other := OtherClaim{ClaimID: o.ID, State: word(string(o.State), words.States)}
		if o.ConversationID != 0 {
			other.Conversation = strconv.FormatInt(o.ConversationID, 10)
		}
		v.OtherClaims = append(v.OtherClaims, other)
	}
	v.OtherClaimsLine = otherClaimsLine(v.OtherClaims, words)
	return eachText(v, func(s string, lines bool) string {
		if lines {
			return strings.TrimSpace(clean(s))
		}
		return oneLine(s)
	})
}

// bounded truncates the list to a view's bound. Validation keeps a claim's lists
// within the bounds; the number of an order's claims has no other bound.
func bounded[T any](list []T, most int) []T { return list[:min(len(list), most)] }

func carrier(code string) string {
	if name, ok := carriers()[claim.NormalizeKey(code)]; ok {
		return name
	}
	return code
}

// otherClaimsLine names the order's other claims with their state. It uses the
// conversation of each claim, or its id if it has no conversation yet.
func otherClaimsLine(others []OtherClaim, words vocabulary) string {
	if len(others) == 0 {
		return ""
	}
	parts := make([]string, len(others))
	for i, o := range others {
		parts[i] = o.ClaimID
		if o.Conversation != "" {
			parts[i] = words.Labels["conversation"] + " " + o.Conversation
		}
		parts[i] += " (" + o.State.Text + ")"
	}
	return words.Labels["other_claims"] + ": " + strings.Join(parts, ", ")
}

// eachText returns a copy of the view with change applied to every text. lines
// reports whether the text may have several lines.
func eachText(v View, change func(s string, lines bool) string) View {
	reflect.ValueOf(&v).Elem().Set(changed(reflect.ValueOf(v), false, change))
	return v
}

func changed(v reflect.Value, lines bool, change func(string, bool) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(change(v.String(), lines))
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(changed(v.Field(i), v.Type().Field(i).Tag.Get("text") == "lines", change))
		}
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(changed(v.Index(i), false, change))
		}
	default:
		return v
	}
	return out
}
