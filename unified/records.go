package unified

import (
	"fmt"

	"github.com/claimflow/claimflow/mirror"
)

// RecordKind is what objects of resources are made of: a conversation, a message, or a
// kind of the directory.
type RecordKind string

// Kinds of records beside those of the directory.
const (
	RecordConversation RecordKind = "conversation"
	RecordMessage      RecordKind = "message"
)

// Names of resources with their model, as events name them.
const (
	ResourceTickets     = ModelTicketing + "/tickets"
	ResourceComments    = ModelTicketing + "/comments"
	ResourceAttachments = ModelTicketing + "/attachments"
	resourceContacts    = ModelTicketing + "/contacts"
	resourceUsers       = ModelTicketing + "/users"
	resourceTeams       = ModelTicketing + "/teams"
	resourceCollections = ModelTicketing + "/collections"
	resourceTags        = ModelTicketing + "/tags"
	resourceFields      = ModelTicketing + "/fields"
	directoryUsers      = ModelDirectory + "/users"
	directoryGroups     = ModelDirectory + "/groups"
)

// resourcesOf says of which resources the records of each kind make objects.
var resourcesOf = map[RecordKind][]string{
	RecordConversation:                     {ResourceTickets},
	RecordMessage:                          {ResourceComments, ResourceAttachments},
	RecordKind(mirror.KindEndUser):         {resourceContacts},
	RecordKind(mirror.KindAgent):           {resourceUsers, directoryUsers},
	RecordKind(mirror.KindTeam):            {resourceTeams, directoryGroups},
	RecordKind(mirror.KindQueue):           {resourceCollections},
	RecordKind(mirror.KindContactEndpoint): {resourceCollections},
	RecordKind(mirror.KindTag):             {resourceTags},
	RecordKind(mirror.KindAttribute):       {resourceFields},
}

// ResourcesOf returns the resources whose objects records of a kind make, in the form
// "ticketing/tickets".
func ResourcesOf(kind RecordKind) []string { return resourcesOf[kind] }

// EventResources returns the resources that have events, in the form "ticketing/tickets",
// sorted.
func EventResources() []string {
	names := map[string]bool{}
	for _, all := range resourcesOf {
		for _, name := range all {
			names[name] = true
		}
	}
	return sortedKeys(names)
}

// EntryOf returns an entry of the directory as an object of a resource. teams are all
// teams, for users.
func EntryOf(resource string, e mirror.DirectoryEntry, teams []mirror.DirectoryEntry) (Object, error) {
	switch resource {
	case resourceContacts:
		return ContactOf(e)
	case resourceUsers, directoryUsers:
		return UserOf(e, teams, false)
	case resourceTeams:
		return TeamOf(e), nil
	case directoryGroups:
		return GroupOf(e), nil
	case resourceCollections:
		return CollectionOf(e), nil
	case resourceTags:
		return TagOf(e)
	case resourceFields:
		return FieldOf(e)
	default:
		return nil, fmt.Errorf("no resource %s is made of %s %s", resource, e.Kind, e.ID)
	}
}
