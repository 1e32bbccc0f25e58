package unified

import (
	"fmt"

	"github.com/claimflow/claimflow/mirror"
)

// Source is what objects of resources are made of: a conversation, a message, or a kind
// of the directory.
type Source string

// Sources beside the kinds of the directory.
const (
	SourceConversation Source = "conversation"
	SourceMessage      Source = "message"
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

// sources says of which resources each source makes objects.
var sources = map[Source][]string{
	SourceConversation:                 {ResourceTickets},
	SourceMessage:                      {ResourceComments, ResourceAttachments},
	Source(mirror.KindEndUser):         {resourceContacts},
	Source(mirror.KindAgent):           {resourceUsers, directoryUsers},
	Source(mirror.KindTeam):            {resourceTeams, directoryGroups},
	Source(mirror.KindQueue):           {resourceCollections},
	Source(mirror.KindContactEndpoint): {resourceCollections},
	Source(mirror.KindTag):             {resourceTags},
	Source(mirror.KindAttribute):       {resourceFields},
}

// ResourcesOf returns the resources whose objects a source makes, in the form
// "ticketing/tickets".
func ResourcesOf(s Source) []string { return sources[s] }

// EventResources returns the resources that have events, in the form "ticketing/tickets",
// sorted.
func EventResources() []string {
	names := map[string]bool{}
	for _, all := range sources {
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
