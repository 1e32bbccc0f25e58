package mirror

import (
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

// Status returns the conversation status of a Dixa state. The state after an expired
// follow-up still awaits someone's action, so it counts as pending. It is empty for
// an unknown state.
func Status(s dixa.ConversationState) claim.ConversationStatus {
	switch spelled(s, dixa.StateOpen, dixa.StatePending, dixa.StateAwaitingPending, dixa.StateClosed) {
	case dixa.StateOpen:
		return claim.ConversationOpen
	case dixa.StatePending, dixa.StateAwaitingPending:
		return claim.ConversationPending
	case dixa.StateClosed:
		return claim.ConversationClosed
	}
	return ""
}

// direction returns the direction in the spelling of this project.
func direction[T ~string](d T) string {
	switch plain(string(d)) {
	case "inbound":
		return claim.DirectionInbound
	case "outbound":
		return claim.DirectionOutbound
	}
	return strings.ToLower(string(d))
}

// channel returns a channel in the API's spelling, or as received if it is unknown.
func channel(s string) string {
	return string(spelled(dixa.Channel(s),
		dixa.ChannelCallback, dixa.ChannelContactForm, dixa.ChannelEmail, dixa.ChannelFacebookMessenger, dixa.ChannelMessenger,
		dixa.ChannelPstnPhone, dixa.ChannelSms, dixa.ChannelTwitter, dixa.ChannelVoicemail, dixa.ChannelWhatsApp, dixa.ChannelWidgetChat))
}

// ratingType returns a kind of rating in the API's spelling, or as received if it is
// unknown. The documentation of exports shows "stars": the scale of one to five that
// the API calls Csat.
func ratingType(s string) string {
	switch p := plain(s); {
	case strings.HasPrefix(p, "stars"), strings.HasPrefix(p, "csat"):
		return RatingCSAT
	case strings.HasPrefix(p, "thumbs"):
		return RatingThumbs
	case strings.HasPrefix(p, "nps"):
		return RatingNPS
	}
	return s
}

// ratingStatus returns the status of a rating in the API's spelling, or as received
// if it is unknown.
func ratingStatus(s string) string {
	return spelled(s, "Unscheduled", "Scheduled", "Offered", RatingStatusRated, "Cancelled")
}

// spelled returns the known value that value spells differently, or value itself.
func spelled[T ~string](value T, known ...T) T {
	p := plain(string(value))
	for _, k := range known {
		if strings.EqualFold(p, string(k)) {
			return k
		}
	}
	return value
}

var separators = strings.NewReplacer("_", "", "-", "", " ", "")

func plain(s string) string { return strings.ToLower(separators.Replace(s)) }
