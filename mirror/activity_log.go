package mirror

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

// Types of activities that figures use, in Dixa's spelling. SLA evaluations are
// events only.
const (
	createdByCustomer = "ConversationCreatedByCustomer"
	createdByAgent    = "ConversationCreatedByAgent"
	closed            = "ConversationClosed"
	reopened          = "ConversationReopened"
	pending           = "ConversationPending"
	followupAdded     = "FollowupAdded"
	followupExpired   = "FollowupExpired"
	followupRemoved   = "FollowupRemoved"
	assigned          = "ConversationAssigned"
	claimed           = "ConversationClaimed"
	offerAccepted     = "ConversationOfferAccepted"
	unassigned        = "ConversationUnassigned"
	offered           = "ConversationOffered"
	transferred       = "TransferSuccessful"
	messageByAgent    = "MessageAddedByAgent"
	autoreplySent     = "ConversationAutoreplySent"
	ratingOffered     = "ConversationRatingOffered"
	rated             = "ConversationRated"
	slaAchieved       = string(dixa.EventSLAEvaluationAchieved)
	slaBreached       = string(dixa.EventSLAEvaluationBreached)
)

// ActivityFromLog returns an entry of the activity log. It leaves out attributes that
// Dixa omits or writes in another format. ok is false if the entry lacks a usable id,
// a conversation or a time.
//
// Dixa: GET /v1/conversations/activitylog and …/{conversationId}/activitylog.
func ActivityFromLog(entry *dixa.Activity) (a Activity, ok bool) {
	a = Activity{ID: entry.ID, ConversationID: entry.ConversationID, At: entry.At.UTC(), Type: entry.Type}
	if entry.Author != nil {
		a.AuthorID, a.AuthorName = entry.Author.ID, entry.Author.Name
	}
	var compact bytes.Buffer
	if json.Compact(&compact, entry.Attributes) == nil && compact.String() != "null" {
		a.Attributes = compact.Bytes()
	}
	members := attributesOf(a.Attributes)
	agent := members.user("agent")
	a.AgentID = cmp.Or(members.text("agentId"), agent.ID)
	a.QueueID, a.QueueName = members.text("queueId"), cmp.Or(members.text("queueLabel"), members.text("queueName"))
	switch kind := members.text("destinationType"); {
	case strings.EqualFold(kind, "Queue"):
		a.QueueID, a.QueueName = members.text("destinationId"), members.text("destinationLabel")
	case strings.EqualFold(kind, "Agent"):
		a.AgentID = members.text("destinationId")
	}
	a.MessageID = members.text("messageId")
	a.Detail = cmp.Or(
		members.text("tag"), members.text("tagAdded"), members.text("destinationLabel"), members.text("agentName"), members.text("queueLabel"),
		members.text("queueName"), members.user("newUser").Name, agent.Name, members.text("claimedFromLabel"), members.text("templateName"),
		members.text("newSubject"), members.text("reason"), members.text("failureReason"),
	)
	return a, claim.IsID(a.ID) && a.ConversationID > 0 && !a.At.IsZero()
}

// attributes are the members of an entry's attributes. One that has another type than
// expected counts as missing.
type attributes []attribute

type attribute struct {
	name  string
	value jsontext.Value
}

// attributesOf returns the members of an object; none if it is not valid.
func attributesOf(raw []byte) attributes {
	in := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if start, err := in.ReadToken(); err != nil || start.Kind() != jsontext.KindBeginObject {
		return nil
	}
	var members attributes
	for in.PeekKind() == jsontext.KindString {
		name, err := in.ReadToken()
		if err != nil {
			return nil
		}
		member := attribute{name: name.String()}
		value, err := in.ReadValue()
		if err != nil {
			return nil
		}
		end := in.InputOffset()
		member.value = raw[end-int64(len(value)) : end]
		members = append(members, member)
	}
	if _, err := in.ReadToken(); err != nil {
		return nil
	}
	return members
}

// member returns the last member of a name, as decoders do.
func (a attributes) member(name string) jsontext.Value {
	for _, m := range slices.Backward(a) {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (a attributes) text(name string) string { return textOf(a.member(name)) }

func (a attributes) user(name string) dixa.ActivityUser {
	var u dixa.ActivityUser
	if value := a.member(name); value == nil || jsonv1.Unmarshal(value, &u) != nil {
		return dixa.ActivityUser{}
	}
	return u
}

// Fact returns what the entry says about its conversation: that the log has it, and
// the offer or the answer of a rating. The status and the people are not taken from
// the log: its entries do not show the state that resulted.
func (a Activity) Fact() Fact {
	f := Fact{Fact: claim.Fact{Stamp: claim.Stamp{At: a.At, ID: a.ID}}, LoggedAt: a.At}
	switch a.Type {
	case ratingOffered:
		f.Answer = &Rating{Status: "Offered", AgentID: a.AgentID, OfferedAt: a.At}
	case rated:
		members := attributesOf(a.Attributes)
		answer := Rating{Status: RatingStatusRated, AgentID: a.AgentID, Comment: members.text("message"), RatedAt: a.At}
		var score *int
		if json.Unmarshal(members.member("score"), &score) == nil {
			answer.Score = score
		}
		if answer.Score != nil || answer.Comment != "" {
			f.Answer = &answer
		}
	}
	return f
}

// Anonymized returns the entry without personal data. The names of tags, queues and
// agents stay.
func (a Activity) Anonymized() Activity {
	a.AuthorName, a.Attributes = "", nil
	switch a.Type {
	case "TagAdded", "TagRemoved", "TransferInitiated", transferred, "TransferFailed", offered, assigned, claimed, unassigned, autoreplySent, ratingOffered:
	default:
		a.Detail = ""
	}
	return a
}
