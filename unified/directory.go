package unified

import (
	"strings"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

// TeamOf returns a team.
func TeamOf(e mirror.DirectoryEntry) *Team {
	return &Team{ID: e.ID, Name: text(e.Name), RemoteData: e.Object}
}

// GroupOf returns a team as a group of the user directory.
func GroupOf(e mirror.DirectoryEntry) *Group {
	return &Group{ID: e.ID, Name: text(e.Name), Type: "team", GroupType: "team", RemoteData: e.Object}
}

// TagOf returns a tag.
func TagOf(e mirror.DirectoryEntry) (*Tag, error) {
	t, err := decode[dixa.Tag](e)
	if err != nil {
		return nil, err
	}
	out := &Tag{ID: e.ID, Name: text(t.Name), Color: text(t.Color), Status: StatusActive, RemoteData: e.Object}
	if t.Inactive() {
		out.Status = StatusInactive
	}
	return out, nil
}

// CollectionOf returns a queue or contact endpoint.
func CollectionOf(e mirror.DirectoryEntry) *Collection {
	c := &Collection{ID: e.ID, Name: text(e.Name), Type: CollectionQueue, EntityType: EntityTicket, RemoteData: e.Object}
	if e.Kind == mirror.KindContactEndpoint {
		c.Type = CollectionEndpoint
	}
	return c
}

// FieldOf returns the definition of a custom attribute.
func FieldOf(e mirror.DirectoryEntry) (*Field, error) {
	d, err := decode[dixa.CustomAttributeDefinition](e)
	if err != nil {
		return nil, err
	}
	f := &Field{
		ID: e.ID, Name: d.Identifier, Label: text(d.Label), Description: text(d.Description), Type: "text",
		IsRequired: d.IsRequired, IsHidden: d.IsArchived || d.IsDeactivated, IsUserDefined: true, EntityType: EntityTicket,
		Options: []FieldOption{}, CreatedAt: instant(d.CreatedAt.Time), UpdatedAt: instant(d.UpdatedAt.Time), RemoteData: e.Object,
	}
	if strings.EqualFold(d.EntityType, "Contact") {
		f.EntityType = EntityContact
	}
	if strings.EqualFold(d.InputDefinition.Type, "Select") {
		f.Type = "enum"
		f.options(d.InputDefinition.Options)
	}
	return f, nil
}

func (o *Field) options(all []dixa.AttributeOption) {
	for i := range all {
		from := &all[i]
		o.Options = append(o.Options, FieldOption{Label: from.Label, Value: from.Value, IsHidden: from.IsDeactivated})
		o.options(from.NestedOptions)
	}
}

// channels are those that Dixa lists.
var channels = []dixa.Channel{
	dixa.ChannelCallback, dixa.ChannelContactForm, dixa.ChannelEmail, dixa.ChannelFacebookMessenger, dixa.ChannelMessenger, dixa.ChannelPstnPhone,
	dixa.ChannelSms, dixa.ChannelTwitter, dixa.ChannelVoicemail, dixa.ChannelWhatsApp, dixa.ChannelWidgetChat,
}

// TicketTypes returns the channels that Dixa lists.
func TicketTypes() []*TicketType {
	all := make([]*TicketType, len(channels))
	for i, c := range channels {
		all[i] = &TicketType{ID: string(c), Name: string(c)}
	}
	return all
}
