package unified

import "slices"

// personMembers are the fields of a contact or user that agents and end users have
// alike.
func personMembers() []Property {
	return slices.Concat(
		native("id", "id", "name", "displayName", "first_name", "firstName", "last_name", "lastName"),
		derived("emails", "email and additionalEmails", "emails.email", "email and additionalEmails", "emails.type", "whether it is email or one of additionalEmails", "emails.is_primary", "whether it is email or one of additionalEmails",
			"phones", "phoneNumber and additionalPhoneNumbers", "phones.number", "phoneNumber and additionalPhoneNumbers", "phones.type", "whether it is phoneNumber or one of additionalPhoneNumbers"),
		native("avatar", "avatarUrl", "created_at", "createdAt"),
		missing("phones.extension", "Dixa's numbers have the E.164 format, which has no extensions", "", "updated_at", unknownTime, ""),
	)
}

// userMembers are the fields of a [User].
func userMembers() []Property {
	return slices.Concat(personMembers(),
		native("username", "email"),
		derived("is_active", "whether Dixa lists the agent", "status", "whether Dixa lists the agent",
			"team_ids", "the members of teams", "groups", "the members of teams", "groups.id", "team id", "groups.name", "team name",
			"roles", "roles", "roles.id", "roles", "roles.name", "roles"),
		remoteData("the agent"),
	)
}

func userReads() []*Method {
	filters := &Filters{
		Fields: map[string]FilterKind{
			"emails.email": FilterFold, "username": FilterFold, "phones.number": FilterText, "name": FilterFold, "is_active": FilterBool, "status": FilterText,
			"team_ids": FilterText, "roles.id": FilterText, "created_at": FilterTime,
		},
		Aliases: map[string]string{"email": "emails.email", "emails": "emails.email", "phone": "phones.number", "phones": "phones.number", "groups.id": "team_ids", "roles": "roles.id", "roles.name": "roles.id"},
		Values:  map[string][]string{"status": {StatusActive, StatusDeleted}},
		Sort:    []string{"name", "created_at", "first_name", "last_name", "username", "id"}, Ascending: true,
		Remote: []string{"email", "phone"},
	}
	return reads(
		&Method{Operations: []string{"GET /agents", "GET /teams", "GET /teams/{teamId}/agents"}, filters: filters},
		&Method{Operations: []string{"GET /agents/{agentId}", "GET /teams", "GET /teams/{teamId}/agents"}},
	)
}

func userWrites() []*Method {
	return []*Method{
		can(MethodCreate, "POST /agents, PATCH /teams/{teamId}/agents, PATCH /queues/{queueId}/members"),
		can(MethodUpdate, "PATCH /agents/{agentId}, POST /agents, DELETE /agents/{agentId}, PATCH /teams/{teamId}/agents, DELETE /teams/{teamId}/agents, PATCH /queues/{queueId}/members, DELETE /queues/{queueId}/members"),
		can(MethodDelete, "DELETE /agents/{agentId}"),
	}
}

func teamReads(sort ...string) []*Method {
	return reads(
		&Method{Operations: []string{"GET /teams"}, filters: &Filters{Fields: map[string]FilterKind{"name": FilterFold}, Sort: sort, Ascending: true}},
		&Method{Operations: []string{"GET /teams/{teamId}"}},
	)
}

func teamWrites() []*Method {
	return []*Method{
		can(MethodCreate, "POST /teams, PATCH /teams/{teamId}/agents"),
		can(MethodUpdate, "PATCH /teams/{teamId}/agents, DELETE /teams/{teamId}/agents"),
		can(MethodDelete, "DELETE /teams/{teamId}"),
	}
}

// peopleResources are contacts, users and teams of the ticketing model.
func peopleResources() []*Resource {
	return []*Resource{
		{
			Model: ModelTicketing, Name: "contacts", Description: "End users, who are the customers.", new: func() Object { return new(Contact) },
			Properties: slices.Concat(personMembers(),
				native("external_id", "externalId"), derived("custom_fields", "customAttributes: value by identifier. Dixa's list leaves them out: they are read one by one if the organization defines any"),
				remoteData("the end user"),
				missing("details", "Dixa has none", "use custom_fields", "account_id", "end users belong to no company", "", "is_active", "end users have no state", "", "etag", noEtag, "")),
			Methods: append(reads(
				&Method{Operations: []string{"GET /endusers", "GET /endusers/{userId}", "GET /custom-attributes"}, filters: &Filters{
					Fields:  map[string]FilterKind{"emails.email": FilterFold, "phones.number": FilterText, "external_id": FilterText},
					Aliases: map[string]string{"email": "emails.email", "emails": "emails.email", "phone": "phones.number", "phones": "phones.number"},
					Sort:    []string{"id"}, Ascending: true, Remote: []string{"email", "phone", "externalId"},
				}},
				&Method{Operations: []string{"GET /endusers/{userId}", "GET /custom-attributes"}},
			),
				can(MethodCreate, "POST /endusers, PATCH /endusers/{userId}/custom-attributes"),
				can(MethodUpdate, "PATCH /endusers/{userId}, PATCH /endusers/{userId}/custom-attributes, PATCH /endusers/{userId}/anonymize"),
				cannot(MethodDelete, "end users cannot be deleted", "update the contact with anonymize: true to anonymize it"),
			),
		},
		{
			Model: ModelTicketing, Name: "users", Description: "Agents and admins.", new: func() Object { return new(User) },
			Properties: slices.Concat(userMembers(), missing("etag", noEtag, "")),
			Methods:    append(userReads(), userWrites()...),
		},
		{
			Model: ModelTicketing, Name: "teams", Description: "Teams of agents.", new: func() Object { return new(Team) },
			Properties: slices.Concat(native("id", "id", "name", "name"), remoteData("the team"),
				missing("description", "Dixa has none", "", "created_at", "Dixa does not say it", "", "updated_at", unknownTime, "", "etag", noEtag, "")),
			Methods: append(teamReads("name", "id"), teamWrites()...),
		},
	}
}

// directoryResources are those of the user directory.
func directoryResources() []*Resource {
	return []*Resource{
		{
			Model: ModelDirectory, Name: "users", Description: "Agents and admins.", new: func() Object { return new(User) },
			Properties: slices.Concat(userMembers(), missing(
				"external_id", "agents have none", "use id", "title", "Dixa has none", "", "languages", "Dixa has none", "", "is_email_verified", "Dixa does not say it", "", "is_2fa_enabled", "Dixa does not say it", "")),
			Methods: append(userReads(), userWrites()...),
		},
		{
			Model: ModelDirectory, Name: "groups", Description: "Teams of agents.", new: func() Object { return new(Group) },
			Properties: slices.Concat(native("id", "id", "name", "name"), derived("type", "always team", "group_type", "always team"), remoteData("the team"),
				missing("description", "Dixa has none", "", "organization", "an account is one organization", "", "created_at", "Dixa does not say it", "", "updated_at", unknownTime, "")),
			Methods: append(groupReads(), teamWrites()...),
		},
		{
			Model: ModelDirectory, Name: "roles", Description: "Roles that agents have.", new: func() Object { return new(Role) },
			Properties: slices.Concat(derived("id", "roles of agents", "name", "roles of agents", "applicable_in", "always workspace"),
				missing("label", "roles have names only", "use name", "description", "Dixa has none", "", "type", "Dixa has none", "", "created_at", "Dixa does not say it", "", "updated_at", unknownTime, "",
					"remote_data", "Dixa has no objects for roles", "")),
			Methods: append(reads(
				&Method{Operations: []string{"GET /agents"}, Support: Derived, From: "the roles that agents have", filters: &Filters{Fields: map[string]FilterKind{"name": FilterFold}, Sort: []string{"name", "id"}, Ascending: true}},
				&Method{Operations: []string{"GET /agents"}, Support: Derived, From: "the roles that agents have"},
			),
				cannot(MethodCreate, "it has no operation for roles", "create the role in Dixa"),
				cannot(MethodUpdate, "it has no operation for roles", "change the role in Dixa"),
				cannot(MethodDelete, "it has no operation for roles", "delete the role in Dixa"),
			),
		},
	}
}

func groupReads() []*Method {
	all := teamReads("name", "id")
	all[0].filters.Fields["type"], all[0].filters.Aliases = FilterText, map[string]string{"group_type": "type"}
	all[0].filters.Values = map[string][]string{"type": {"team", "department", "group", "product"}}
	return all
}
