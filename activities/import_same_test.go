package activities_test

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
)

// requireSame requires that two stores of one organization hold the same rows and
// figures.
func (b *importBench) requireSame(other *importBench) {
	b.Helper()
	ctx := b.Context()
	for _, id := range b.ids() {
		var figures [2]mirror.Figures
		var messages [2][]mirror.Message
		var activities [2][]mirror.Activity
		var conversations [2]mirror.Conversation
		for i, x := range []*importBench{b, other} {
			var err error
			conversations[i], err = x.store.Mirror.Conversation(ctx, x.connection, id)
			require.NoError(b, err)
			messages[i], err = x.store.Mirror.Messages(ctx, x.connection, id)
			require.NoError(b, err)
			activities[i], err = x.store.Mirror.Activities(ctx, x.connection, id)
			require.NoError(b, err)
			figures[i] = mirror.Derive(id, conversations[i], messages[i], activities[i])
		}
		require.Equal(b, contents(conversations[1]), contents(conversations[0]), "conversation %d", id)
		require.Equal(b, wordings(messages[1]), wordings(messages[0]), "messages of %d", id)
		require.Equal(b, encoded(b, activities[1]), encoded(b, activities[0]), "activities of %d", id)
		require.Equal(b, encoded(b, figures[1]), encoded(b, figures[0]), "figures of %d", id)
	}
	require.Equal(b, assignmentsOf(b, b.oracle()), assignmentsOf(b, b.store.Mirror.Figures(b.connection)), "stored figures must be those of the rows")
}

// assignmentsOf returns who was assigned when and from which queue.
func assignmentsOf(b *importBench, figures kpi.Source) []string {
	b.Helper()
	var all []string
	for o, err := range figures.Observe(b.Context(), kpi.Query{
		Table: kpi.Events, Kinds: []mirror.EventKind{mirror.KindAssigned}, Date: kpi.EventAt, Group: kpi.EventQueue, Key: kpi.EventAgent,
	}) {
		require.NoError(b, err)
		all = append(all, fmt.Sprint(o.ID, " ", o.At, " ", o.Group, " ", o.Key))
	}
	slices.Sort(all)
	return all
}

// content is what is known of a conversation, without when and how it was found.
type content struct {
	Status, Assignee, Queue, Requester string
	Tags                               []string
	Origin                             mirror.Origin
	Attributes                         map[string]string
	Ratings                            []int
	Anonymized                         bool
	// LoggedAt ends the changes that only events tell.
	LoggedAt, Changes int64
}

func contents(c mirror.Conversation) content {
	out := content{
		Status: string(c.Status), Assignee: orZero(c.Assignee).ID, Queue: orZero(c.Queue).ID, Requester: orZero(c.Requester).ID,
		Tags: slices.Sorted(slices.Values(c.Tags)), Origin: c.Origin, Attributes: map[string]string{}, Ratings: knownScores(c),
		Anonymized: !c.Reported.AnonymizedAt.IsZero(), LoggedAt: c.LoggedAt.UnixMilli(), Changes: int64(len(c.Changes)),
	}
	for id, a := range c.Attributes {
		out.Attributes[id] = string(a.Value)
	}
	return out
}

// wording is what is known of a message, without what only some sources say.
type wording struct {
	ID, Kind, Direction, Text string
	At                        int64
	Automated                 bool
	Files                     int
}

func wordings(messages []mirror.Message) []wording {
	var all []wording
	for _, m := range messages {
		all = append(all, wording{m.ID, m.Kind, m.Direction, m.Text + m.HTML, m.At.Unix(), m.Automated, len(m.Attachments)})
	}
	return all
}

func encoded(b *importBench, v any) string {
	b.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	require.NoError(b, err)
	return string(data)
}
