package kpi

import (
	"cmp"
	"slices"
)

// Directory holds the names of the organization's agents, queues and teams.
type Directory struct {
	// AgentNames and QueueNames are by id.
	AgentNames, QueueNames map[string]string
	// AgentTeams are the names of each agent's teams, by the agent's id. An agent of
	// several teams counts in each.
	AgentTeams map[string][]string
}

// agentsOf returns the ids of the agents of any of the teams.
func (d *Directory) agentsOf(teams []string) []string {
	agents := []string{}
	for agent, own := range d.AgentTeams {
		if slices.ContainsFunc(own, func(team string) bool { return slices.Contains(teams, team) }) {
			agents = append(agents, agent)
		}
	}
	slices.Sort(agents)
	return agents
}

// label returns the name of a group for people.
func (d *Directory) label(by Dimension, group string) string {
	switch {
	case by == "":
		return LabelAll
	case group == "":
		return LabelNone
	case by == ByAgent:
		return cmp.Or(d.AgentNames[group], group)
	case by == ByQueue:
		return cmp.Or(d.QueueNames[group], group)
	default:
		return group
	}
}

// cell collects the observations of one group in one bucket.
type cell struct {
	// known and missing count observations with and without a value.
	known, missing int
	// part and opposite count observations of a share.
	part, opposite int
	sum            total
	values         []int64
	ids            []int64
	keys           []int32
	// mean is that of ages, whose median and 90th percentile are the values.
	mean float64
	// kept is the value, if it is known without the other fields.
	kept *KeptValue
	// behind lists the observations behind the value, if they are asked for.
	behind *listing
}

// add counts an observation of a share.
func (c *cell) add(part int) {
	switch part {
	case 1:
		c.part++
	case -1:
		c.opposite++
	}
}

// table holds the cells of all groups.
type table struct {
	buckets int
	by      Dimension
	request *Request
	// teams are as in [Directory].
	teams map[string][]string
	// only are the groups that appear; nil for all.
	only []string
	// groups and cells are by series.
	groups []string
	cells  [][]cell
	index  map[string]int32
	// routes are the series of a value of the query's group column.
	routes map[string][]int32
	// last is the route of lastValue, because equal values often follow each other.
	lastValue string
	last      []int32
	err       error
}

func newTable(buckets int, r *Request, d *Directory) *table {
	t := &table{
		buckets: buckets, by: r.By, request: r, teams: d.AgentTeams,
		index: map[string]int32{}, routes: map[string][]int32{},
	}
	switch {
	case r.By == "":
		t.last = []int32{t.series("")}
		t.routes[""] = t.last
	case len(r.filtersBy()) > 0:
		t.only = r.filtersBy()
		for _, group := range t.only {
			t.series(group)
		}
	}
	return t
}

// of returns the series that a value of the query's group column belongs to: one, or
// for teams any number. After more than [MaxValues] values, t.err is set.
func (t *table) of(value string) []int32 {
	if value == t.lastValue && t.last != nil {
		return t.last
	}
	route, known := t.routes[value]
	if !known {
		groups := []string{value}
		if t.by == ByTeam {
			groups = t.teams[value]
			if len(groups) == 0 {
				groups = []string{""}
			}
		}
		route = []int32{}
		for _, group := range groups {
			if t.only != nil && !slices.Contains(t.only, group) {
				continue
			}
			// Several teams can have the same name.
			if series := t.series(group); !slices.Contains(route, series) {
				route = append(route, series)
			}
		}
		t.routes[value] = route
	}
	t.lastValue, t.last = value, route
	return route
}

// series returns the number of a group's series.
func (t *table) series(group string) int32 {
	n, known := t.index[group]
	if !known {
		n = int32(len(t.groups))
		if int(n)*t.buckets > MaxValues {
			t.err = tooManyValues(t.request)
		}
		t.index[group] = n
		t.groups = append(t.groups, group)
		t.cells = append(t.cells, make([]cell, t.buckets))
	}
	return n
}

// dropEmpty drops the groups without observations that were not asked for by name.
func (t *table) dropEmpty() {
	if t.by == "" || t.only != nil {
		return
	}
	kept := 0
	for n, cells := range t.cells {
		if slices.ContainsFunc(cells, func(c cell) bool { return c.known != 0 }) {
			t.groups[kept], t.cells[kept] = t.groups[n], cells
			kept++
		}
	}
	t.groups, t.cells = t.groups[:kept], t.cells[:kept]
}
