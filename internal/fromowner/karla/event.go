package karla

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Kind says what an event is about.
type Kind string

// The kinds of events.
const (
	ClaimCreated Kind = "claim_created"
	ClaimUpdated Kind = "claim_updated"
	// ShipmentMoved is an event of a parcel, to the customer or back.
	ShipmentMoved Kind = "shipment"
	// Other is every other event. It is stored and has no effect.
	Other Kind = "other"
)

// Event is one event that Karla sent. Fields missing from the event are empty.
type Event struct {
	// ID is the SHA-256 of the body in hexadecimal: Karla gives events no id, so the
	// same bytes are the same event.
	ID   string
	Kind Kind
	// Ref and Group are Karla's names for the event, such as "claims/created" and
	// "claim_created".
	Ref, Group string
	// Shop is the shop's slug at Karla.
	Shop string
	// TriggeredAt is when Karla sent the event, UpdatedAt when its subject last
	// changed.
	TriggeredAt, UpdatedAt time.Time
	// ClaimID is the claim that the event is about. An event of a parcel has none,
	// see [Event.Claims].
	ClaimID string
	// Claims are the ids of the claims that Karla names beside the event.
	Claims []string
	// OrderNumber is the number of the event's order.
	OrderNumber string
	// Shipment is the parcel; zero unless the event is about one.
	Shipment Shipment
	// Raw is the body as received, without a byte order mark. If the event is about
	// a claim, [claim.Decode] reads the claim from it.
	Raw []byte
}

// Shipment is a parcel as an event describes it.
type Shipment struct {
	ID string
	// Phase is Karla's term for the parcel's progress, such as "delivered" or
	// "return_received". The set is open.
	Phase                       string
	TrackingNumber, TrackingURL string
	// Carrier is Karla's code of the carrier, such as "dhl".
	Carrier string
}

// ErrNoEvent means that a body is not an event because it is not a JSON object.
var ErrNoEvent = errors.New("karla: the body is not an event: it is not a single JSON object")

// ParseEvent parses the envelope of an event (Karla: "Claim events", and the
// fixtures of its Shopware plugin). It retains body. Unknown members are ignored;
// missing ones and those of another type are empty. The only error is [ErrNoEvent].
func ParseEvent(body []byte) (*Event, error) {
	sum := sha256.Sum256(body)
	body = bytes.TrimPrefix(body, []byte("\uFEFF")) // a byte order mark
	var root members
	if json.Unmarshal(body, &root) != nil || root == nil {
		return nil, ErrNoEvent
	}
	data, context := root.object("event_data"), root.object("context")
	order := context.object("order")
	e := &Event{
		ID:          hex.EncodeToString(sum[:]),
		Ref:         strings.ToLower(root.text("ref")),
		Group:       strings.ToLower(cmp.Or(root.text("event_group"), data.text("event_group"))),
		Shop:        root.text("shop_slug"),
		TriggeredAt: root.instant("triggered_at"),
		UpdatedAt:   data.instant("updated_at"),
		OrderNumber: cmp.Or(order.text("order_number"), order.text("order_name"), data.text("order_number")),
		Raw:         body,
	}
	e.Kind = kindOf(e.Ref, e.Group)
	for _, c := range context.list("claims") {
		if id := c.claimID(); id != "" {
			e.Claims = append(e.Claims, id)
		}
	}
	switch e.Kind {
	case ClaimCreated, ClaimUpdated:
		e.ClaimID = data.claimID()
	case ShipmentMoved:
		e.Shipment = Shipment{
			ID: data.text("shipment_id"), Phase: strings.ToLower(data.text("phase")),
			TrackingNumber: data.text("tracking_number"), TrackingURL: data.text("tracking_url"),
			Carrier: data.text("carrier_reference"),
		}
	}
	return e, nil
}

// kindOf uses the ref, or the group if the ref is unknown. Karla publishes only the
// prefixes of the names of return events.
func kindOf(ref, group string) Kind {
	switch {
	case ref == "claims/created", ref == "" && group == "claim_created":
		return ClaimCreated
	case ref == "claims/updated", ref == "" && group == "claim_updated":
		return ClaimUpdated
	case strings.HasPrefix(ref, "claims/"):
		return Other
	case strings.HasPrefix(ref, "shipments/"), strings.HasPrefix(ref, "return"),
		strings.HasPrefix(group, "shipment_"), strings.HasPrefix(group, "return"):
		return ShipmentMoved
	default:
		return Other
	}
}

// members is a JSON object that is read leniently.
type members map[string]json.RawMessage

// object returns a nested object, or nil, which is readable too, if there is none.
func (m members) object(name string) members {
	var nested members
	if json.Unmarshal(m[name], &nested) != nil {
		return nil
	}
	return nested
}

// list returns a list of objects. A string in it stands for an object with that id.
func (m members) list(name string) []members {
	var elements []json.RawMessage
	if json.Unmarshal(m[name], &elements) != nil {
		return nil
	}
	out := make([]members, 0, len(elements))
	for _, e := range elements {
		var nested members
		if json.Unmarshal(e, &nested) != nil {
			nested = members{"id": e}
		}
		out = append(out, nested)
	}
	return out
}

func (m members) claimID() string { return cmp.Or(m.text("claim_id"), m.text("uuid"), m.text("id")) }

// text returns a string, or a number as written. It removes U+0000, which PostgreSQL
// cannot store in text.
func (m members) text(name string) string {
	var v any
	raw := m[name]
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(strings.ReplaceAll(v, "\x00", ""))
	case float64:
		return strings.TrimSpace(string(raw))
	default:
		return ""
	}
}

func (m members) instant(name string) time.Time {
	t, _ := claim.ParseTime(m.text(name))
	return t
}
