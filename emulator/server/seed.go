package server

import "time"

// Ids and addresses of the default seed. They never change, so that tests and demos
// can name them.
const (
	SeedOrganization = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0001"

	// SeedAgentAdmin is an administrator and the user that every token acts as.
	SeedAgentAdmin = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0010"
	SeedAgentAnna  = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0011"
	SeedAgentBen   = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0012"

	SeedAgentAdminEmail = "admin@demo-shop.example"
	SeedAgentAnnaEmail  = "anna@demo-shop.example"
	SeedAgentBenEmail   = "ben@demo-shop.example"

	SeedTeamCare    = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0020"
	SeedTeamReturns = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0021"

	// SeedQueueSupport is the default queue.
	SeedQueueSupport = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0030"
	SeedQueueClaims  = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0031"

	SeedMailbox        = "support@demo.email.dixa.io"
	SeedReturnsMailbox = "returns@demo.email.dixa.io"
	SeedPhone          = "+4589977790"
	SeedWidget         = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0040"

	// SeedAttrOrderNumber and SeedAttrClaimID are Text attributes of conversations.
	SeedAttrOrderNumber = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0050"
	SeedAttrClaimID     = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0051"
	// SeedAttrReason is a Select attribute of conversations with nested options.
	SeedAttrReason = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0052"
	// SeedAttrLoyalty is a Text attribute of contacts.
	SeedAttrLoyalty = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0053"
)

// Seed is the initial content of a Server. A nil list defaults to that of the
// default seed; an empty list stays empty.
type Seed struct {
	// Random seeds ids, webhook secrets and the shares of faults and switches. Two
	// servers with the same seed, clock and requests respond identically.
	Random uint64
	// FirstConversation is the id of the first conversation. Defaults to 1001.
	FirstConversation int64

	Agents           []*Agent
	Teams            []*Team
	Queues           []*Queue
	ContactEndpoints []ContactEndpoint
	Attributes       []*AttributeDefinition
	Tags             []*Tag
	EndUsers         []*EndUser
	Schedules        []*Schedule
	Templates        []*Template
	// Knowledge is the content of the knowledge base. Nil defaults to that of the
	// default seed.
	Knowledge *Knowledge
}

// DefaultSeed returns the organization of one shop: three agents (one an
// administrator), two teams, two queues, two mailboxes, a phone number and four
// custom attributes.
func DefaultSeed() Seed {
	since := time.Date(2024, time.January, 8, 9, 0, 0, 0, time.UTC)
	person := func(id, name, email string) Person {
		return Person{
			ID: id, CreatedAt: since, DisplayName: name, Email: email,
			AdditionalEmails: []string{}, AdditionalPhoneNumbers: []string{}, MiddleNames: []string{},
		}
	}
	return Seed{
		FirstConversation: 1001,
		Agents: []*Agent{
			{Person: person(SeedAgentAdmin, "Ada Admin", SeedAgentAdminEmail), Roles: []string{"Agent", "Admin"}},
			{Person: person(SeedAgentAnna, "Anna Agent", SeedAgentAnnaEmail), Roles: []string{"Agent"}},
			{Person: person(SeedAgentBen, "Ben Agent", SeedAgentBenEmail), Roles: []string{"Agent"}, Offline: true},
		},
		Teams: []*Team{
			{ID: SeedTeamCare, Name: "Customer care", Members: []string{SeedAgentAnna, SeedAgentBen}},
			{ID: SeedTeamReturns, Name: "Returns", Members: []string{SeedAgentBen}},
		},
		Queues: []*Queue{
			{ID: SeedQueueSupport, Name: "Support", IsDefault: true, Members: []string{SeedAgentAnna, SeedAgentBen}},
			{ID: SeedQueueClaims, Name: "Claims", Members: []string{SeedAgentAnna}},
		},
		ContactEndpoints: []ContactEndpoint{
			{Address: SeedMailbox, Name: "Support", SenderOverride: "support@demo-shop.example"},
			{Address: SeedReturnsMailbox, Name: "Returns"},
			{Number: SeedPhone, Name: "Hotline", Functionality: []string{"VoiceInbound", "VoiceOutbound"}},
		},
		Attributes: []*AttributeDefinition{
			{
				ID: SeedAttrOrderNumber, EntityType: "Conversation", Identifier: "order_number", Label: "Order number",
				Description: "Number of the order at the shop", Placeholder: "10001", CreatedAt: since, UpdatedAt: since.Add(24 * time.Hour),
			},
			{
				ID: SeedAttrClaimID, EntityType: "Conversation", Identifier: "claim_id", Label: "Claim id",
				CreatedAt: since,
			},
			{
				ID: SeedAttrReason, EntityType: "Conversation", Identifier: "contact_reason", Label: "Contact reason",
				CreatedAt: since,
				Options: []AttributeOption{
					{
						ID: "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0060", Label: "Claim", Value: "claim", OrderIndex: 1,
						NestedOptions: []AttributeOption{
							{ID: "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0061", Label: "Damaged", Value: "damaged", OrderIndex: 2, NestedOptions: []AttributeOption{}},
							{ID: "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0062", Label: "Missing", Value: "missing", OrderIndex: 3, NestedOptions: []AttributeOption{}},
						},
					},
					{ID: "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0063", Label: "Question", Value: "question", OrderIndex: 4, NestedOptions: []AttributeOption{}},
				},
			},
			{
				ID: SeedAttrLoyalty, EntityType: "Contact", Identifier: "loyalty_tier", Label: "Loyalty tier",
				CreatedAt: since,
			},
		},
	}
}

// completed fills the fields that seed omits with those of the default seed.
func (seed Seed) completed() Seed {
	base := DefaultSeed()
	if seed.FirstConversation == 0 {
		seed.FirstConversation = base.FirstConversation
	}
	if seed.Agents == nil {
		seed.Agents = base.Agents
	}
	if seed.Teams == nil {
		seed.Teams = base.Teams
	}
	if seed.Queues == nil {
		seed.Queues = base.Queues
	}
	if seed.ContactEndpoints == nil {
		seed.ContactEndpoints = base.ContactEndpoints
	}
	if seed.Attributes == nil {
		seed.Attributes = base.Attributes
	}
	if seed.Schedules == nil {
		seed.Schedules = defaultSchedules()
	}
	if seed.Templates == nil {
		seed.Templates = defaultTemplates()
	}
	if seed.Knowledge == nil {
		seed.Knowledge = defaultKnowledge()
	}
	return seed
}
