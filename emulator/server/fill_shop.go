package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of the queues and teams that Fill uses. It creates those that do not exist.
const (
	fillSupport = "Support"
	fillClaims  = "Claims"
	fillReturns = "Returns"
	fillBilling = "Billing"
	fillChat    = "Chat"
	fillPhone   = "Phone"
)

// fillAgents are the agents that Fill adds, with the index of their shift and their
// queues besides the default one.
var fillAgents = []struct {
	name, team string
	shift      int
	queues     []string
}{
	{"Anna Agent", "", 1, []string{fillClaims, fillChat}},
	{"Ben Agent", "", 0, []string{fillReturns, fillPhone}},
	{"Carla Lind", "Customer care", 0, []string{fillChat, fillBilling}},
	{"David Holm", "Customer care", 1, []string{fillPhone}},
	{"Elin Berg", "Customer care", 2, []string{fillChat, fillPhone}},
	{"Farid Noor", "Customer care", 3, []string{fillChat, fillClaims}},
	{"Greta Voss", "Returns", 0, []string{fillReturns, fillClaims}},
	{"Henrik Dahl", "Returns", 1, []string{fillReturns, fillBilling}},
	{"Ines Costa", "Returns", 2, []string{fillReturns, fillClaims}},
	{"Jonas Falk", "Evening and weekend", 4, []string{fillChat, fillPhone}},
	{"Kaja Moe", "Evening and weekend", 4, []string{fillChat, fillReturns}},
	{"Leo Marsh", "Evening and weekend", 3, []string{fillPhone, fillBilling}},
	{"Mona Riis", "Evening and weekend", 2, []string{fillClaims, fillChat}},
}

// fillTags are the tags that Fill uses besides those of the topics. The retired ones
// are deactivated when it ends.
var (
	fillTags    = []string{"vip", "urgent", "b2b", "first-order"}
	retiredTags = []string{"summer-campaign", "old-shop", "warehouse-move"}
)

// organize adds the agents, teams, queues, tags and contact endpoints that are missing.
func (f *filling) organize() {
	s := f.s
	f.queues, f.shifts = map[string]*Queue{}, map[string]shift{}
	for _, name := range []string{fillSupport, fillClaims, fillReturns, fillBilling, fillChat, fillPhone} {
		queue := first(s.state.Queues, func(q *Queue) bool { return q.Name == name })
		if queue == nil {
			queue = &Queue{ID: s.newID(), Name: name, IsDefault: s.defaultQueue() == "", Members: []string{}}
			s.state.Queues = append(s.state.Queues, queue)
		}
		f.queues[name] = queue
	}
	for _, plan := range fillAgents {
		agent := f.employ(plan.name)
		f.shifts[agent.ID] = shifts[plan.shift]
		if plan.team != "" {
			join(&f.team(plan.team).Members, agent.ID)
		}
		for _, queue := range append([]string{fillSupport}, plan.queues...) {
			join(&f.queues[queue].Members, agent.ID)
		}
	}
	for _, agent := range s.state.Agents {
		if _, planned := f.shifts[agent.ID]; !planned {
			f.shifts[agent.ID] = shifts[1] // the seed may have put it into a queue
		}
	}
	for _, name := range slices.Concat(fillTags, retiredTags) {
		s.tagNamed(name, "")
	}
	for _, topic := range topics {
		for _, name := range topic.tags {
			s.tagNamed(name, "")
		}
		f.topicWeights = append(f.topicWeights, topic.weight)
	}
	for open := range f.mediaWeights {
		for _, medium := range media {
			f.mediaWeights[open] = append(f.mediaWeights[open], medium.weight[open])
		}
	}
	f.endpoints()
}

// endpoints finds the mailboxes and the number of the shop, and adds what is missing.
func (f *filling) endpoints() {
	for _, endpoint := range f.s.state.ContactEndpoints {
		switch {
		case endpoint.Address != "" && f.mailbox.Address == "":
			f.mailbox = endpoint
		case endpoint.Address != "" && f.returns.Address == "":
			f.returns = endpoint
		case endpoint.Number != "" && f.phone.Number == "":
			f.phone = endpoint
		}
	}
	if f.mailbox.Address == "" {
		f.mailbox = ContactEndpoint{Address: SeedMailbox, Name: "Support"}
		f.s.state.ContactEndpoints = append(f.s.state.ContactEndpoints, f.mailbox)
	}
	if f.returns.Address == "" {
		f.returns = f.mailbox
	}
	if f.phone.Number == "" {
		f.phone = ContactEndpoint{Number: SeedPhone, Name: "Hotline", Functionality: []string{"VoiceInbound", "VoiceOutbound"}}
		f.s.state.ContactEndpoints = append(f.s.state.ContactEndpoints, f.phone)
	}
}

// employ returns the agent with the given name, who is created if there is none.
func (f *filling) employ(name string) *Agent {
	agent := first(f.s.state.Agents, func(a *Agent) bool { return a.DisplayName == name })
	if agent == nil {
		agent = &Agent{Person: Person{
			ID: f.s.newID(), CreatedAt: f.since.Add(-30 * 24 * time.Hour), DisplayName: name,
			Email: strings.ReplaceAll(strings.ToLower(name), " ", ".") + "@demo-shop.example",
		}.tidy(), Roles: []string{"Agent"}}
		f.s.state.Agents = append(f.s.state.Agents, agent)
	}
	return agent
}

func (f *filling) team(name string) *Team {
	team := first(f.s.state.Teams, func(t *Team) bool { return t.Name == name })
	if team == nil {
		team = &Team{ID: f.s.newID(), Name: name, Members: []string{}}
		f.s.state.Teams = append(f.s.state.Teams, team)
	}
	return team
}

func join(members *[]string, id string) {
	if !containsID(*members, id) {
		*members = append(*members, id)
	}
}

func (f *filling) deactivateTags() {
	for _, name := range retiredTags {
		f.s.tagNamed(name, "").Inactive = true
	}
}

// onShift returns the member of a queue who is the first to work from t on, other than
// the given one, and when.
func (f *filling) onShift(queue *Queue, t time.Time, other string) (*Agent, time.Time) {
	var found string
	var at time.Time
	offset := f.random.IntN(len(queue.Members))
	for i := range queue.Members {
		id := queue.Members[(i+offset)%len(queue.Members)]
		works, employed := f.shifts[id]
		if !employed || id == other {
			continue
		}
		if start := works.next(t); found == "" || start.Before(at) {
			found, at = id, start
		}
	}
	return f.s.agent(found), at
}

var (
	firstNames = strings.Fields("Emma Noah Freja William Ida Oscar Clara Lucas Alma Oliver Sofia Malthe Karla Emil Agnes Victor Nora August Laura Magnus Maria Elias Julie Johan Hanna Felix Sara Anton Lena Jakob Mia Peter Olga Tomas Eva Marek")
	lastNames  = strings.Fields("Nielsen Jensen Hansen Larsen Madsen Olsen Lund Bauer Fischer Weber Schmidt Keller Svensson Karlsson Nilsson Eriksson Smith Brown Taylor Evans Walker Wright Novak Kowalski Dubois Martin Rossi Silva Jansen Visser")
)

// patron is a customer and their number among the end users.
type patron struct {
	*EndUser
	number int
}

// customer returns the customer of a conversation that starts at the given time: a new
// one, or one who wrote before, more probably not long ago.
func (f *filling) customer(at time.Time, medium *medium) *EndUser {
	const newShare = 0.6
	var user patron
	if len(f.customers) == 0 || f.chance(newShare) {
		user = f.stranger(at)
	} else {
		share := f.random.Float64()
		user = f.customers[len(f.customers)-1-int(share*share*float64(len(f.customers)))]
	}
	if user.Email == "" && (medium.mails || !medium.phones && f.chance(0.5)) {
		user.Email = strings.ToLower(user.FirstName+"."+user.LastName) + strconv.Itoa(user.number) + "@mail.example"
	}
	if user.PhoneNumber == "" && (medium.phones || f.chance(0.3)) {
		user.PhoneNumber = fmt.Sprintf("+4500%06d", user.number) // no Danish number starts with 0
	}
	return user.EndUser
}

// stranger adds an end user.
func (f *filling) stranger(at time.Time) patron {
	person := Person{ID: f.s.newID(), CreatedAt: at, FirstName: either(f, firstNames), LastName: either(f, lastNames)}
	person.DisplayName = person.FirstName + " " + person.LastName
	user := patron{&EndUser{Person: person.tidy(), VisibleAt: at}, len(f.s.state.EndUsers) + 1}
	if f.chance(0.15) && f.s.attribute(SeedAttrLoyalty) != nil {
		user.Attributes = map[string]any{SeedAttrLoyalty: either(f, []string{"silver", "gold"})}
	}
	f.s.state.EndUsers = append(f.s.state.EndUsers, user.EndUser)
	f.customers = append(f.customers, user)
	return user
}
