package unified

import "slices"

// definitionResources are what an organization defines for its conversations.
func definitionResources() []*Resource {
	const optionsOf = "inputDefinition.options and their nestedOptions"
	fixed := func(why string) []*Method {
		return append(reads(
			&Method{Support: Derived, From: "a fixed list", filters: &Filters{Fields: map[string]FilterKind{"name": FilterFold, "category": FilterText}, Sort: []string{"name", "id"}, Ascending: true}},
			&Method{Support: Derived, From: "a fixed list"},
		), cannot(MethodCreate, why, ""), cannot(MethodUpdate, why, ""), cannot(MethodDelete, why, ""))
	}
	return []*Resource{
		{
			Model: ModelTicketing, Name: "collections", Description: "Queues (type queue) and contact endpoints (type contact_endpoint).", new: func() Object { return new(Collection) },
			Properties: slices.Concat(native("id", "id of the queue; address or number of the endpoint", "name", "name"), derived("type", "whether it is a queue or contact endpoint", "entity_type", "always ticket", "category", mapped), remoteData("the queue or contact endpoint"),
				missing("description", "Dixa has none", "", "parent_collection_id", "queues are not nested", "", "urls", "Dixa does not tell the address of its pages", "", "workspace", noWorkspace, "",
					"created_at", "Dixa does not say it", "", "updated_at", unknownTime, "", "etag", noEtag, "")),
			Methods: append(reads(
				&Method{Operations: []string{"GET /queues", "GET /contact-endpoints"}, filters: &Filters{Fields: map[string]FilterKind{"type": FilterText, "name": FilterFold, "entity_type": FilterText, "category": FilterText}, Values: map[string][]string{"type": {CollectionQueue, CollectionEndpoint}, "entity_type": {EntityTicket, EntityContact}}, Sort: []string{"name", "type", "id"}, Ascending: true, Remote: []string{"_type"}}},
				&Method{Operations: []string{"GET /queues/{queueId}", "GET /contact-endpoints/{contactEndpointId}"}},
			),
				can(MethodCreate, "POST /queues, PATCH /queues/{queueId}/members"),
				can(MethodUpdate, "PATCH /queues/{queueId}/members, DELETE /queues/{queueId}/members"),
				cannot(MethodDelete, "queues and contact endpoints cannot be deleted through its API", "delete them in Dixa"),
			),
		},
		{
			Model: ModelTicketing, Name: "fields", Description: "Definitions of custom attributes.", new: func() Object { return new(Field) },
			Properties: slices.Concat(
				native("id", "id", "name", "identifier", "label", "label", "description", "description", "is_required", "isRequired", "created_at", "createdAt", "updated_at", "updatedAt"),
				derived("type", "inputDefinition: text or enum", "is_hidden", "isArchived or isDeactivated", "is_user_defined", "always true", "entity_type", "entityType: ticket or contact",
					"options", optionsOf, "options.label", optionsOf, "options.value", optionsOf, "options.is_hidden", "isDeactivated of the option"),
				remoteData("the definition"),
				missing("format", "Dixa has none", "", "is_unique", "Dixa has no unique attributes", "", "entity_id", "definitions apply to all objects of their type", "", "options.description", "options have none", "use options.label", "etag", noEtag, ""),
			),
			Methods: append(reads(
				&Method{Operations: []string{"GET /custom-attributes"}, filters: &Filters{Fields: map[string]FilterKind{"name": FilterFold, "entity_type": FilterText, "type": FilterText, "is_required": FilterBool, "is_hidden": FilterBool, "created_at": FilterTime, "updated_at": FilterTime}, Values: map[string][]string{"entity_type": {EntityTicket, EntityContact}, "type": {"text", "enum"}}, Sort: []string{"name", "created_at", "updated_at", "id"}, Ascending: true}},
				&Method{Operations: []string{"GET /custom-attributes"}},
			),
				cannot(MethodCreate, "it has no operation for it", "define the attribute in Dixa"),
				cannot(MethodUpdate, "it has no operation for it", "change the attribute in Dixa"),
				cannot(MethodDelete, "it has no operation for it", "archive the attribute in Dixa"),
			),
		},
		{
			Model: ModelTicketing, Name: "tags", Description: "Tags, with those that are deactivated.", new: func() Object { return new(Tag) },
			Properties: slices.Concat(native("id", "id", "name", "name", "color", "color"), derived("status", "state: active or inactive"), remoteData("the tag"),
				missing("workspace", noWorkspace, "", "parent", "tags are not nested", "", "created_at", "Dixa does not say it", "", "updated_at", unknownTime, "", "etag", noEtag, "")),
			Methods: append(reads(
				&Method{Operations: []string{"GET /tags"}, filters: &Filters{Fields: map[string]FilterKind{"name": FilterFold, "status": FilterText, "color": FilterFold}, Values: map[string][]string{"status": {StatusActive, StatusInactive}}, Sort: []string{"name", "id"}, Ascending: true, Remote: []string{"includeDeactivated"}}},
				&Method{Operations: []string{"GET /tags/{tagId}"}},
			),
				can(MethodCreate, "POST /tags, PATCH /tags/{tagId}/activate, PATCH /tags/{tagId}/deactivate"),
				can(MethodUpdate, "PATCH /tags/{tagId}/activate, PATCH /tags/{tagId}/deactivate"),
				can(MethodDelete, "DELETE /tags/{tagId}"),
			),
		},
		{
			Model: ModelTicketing, Name: "ticket_status", Description: "States of conversations.", new: func() Object { return new(Status) },
			Properties: slices.Concat(derived("id", "state", "name", "state", "category", mapped),
				missing("description", "Dixa has none", "", "etag", noEtag, "", "remote_data", "Dixa has no objects for states", "")),
			Methods: fixed("its states are fixed"),
		},
		{
			Model: ModelTicketing, Name: "ticket_types", Description: "Channels of conversations.", new: func() Object { return new(TicketType) },
			Properties: slices.Concat(derived("id", "channel", "name", "channel", "category", mapped),
				missing("description", "Dixa has none", "", "project", noWorkspace, "", "created_at", "Dixa does not say it", "", "updated_at", unknownTime, "", "etag", noEtag, "", "remote_data", "Dixa has no objects for channels", "")),
			Methods: fixed("its channels are fixed"),
		},
	}
}
