package activities

import (
	"context"
	"slices"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// searchPage is the number of hits requested at once, which is Dixa's maximum.
const searchPage = 50

// searchConversations finds the conversations with activity in the window and reads
// each one: its state, and the other parts if something changed. It is for tokens that
// may not read exports.
func (r *windowRun) searchConversations(ctx context.Context) error {
	client, err := r.Clients.Client(ctx, r.ConnectionID)
	if err != nil {
		return err
	}
	ctx = connection.WithSpareRate(ctx)
	var ids []int64
	query := dixa.SearchQuery{PageLimit: searchPage, Conditions: []dixa.SearchCondition{
		// Whether the bounds belong to the period is unknown.
		{Field: "LastActivity", Operator: dixa.Between(dixa.NewTime(r.Window.From.Add(-time.Millisecond)), dixa.NewTime(r.Window.To.Add(time.Millisecond)))},
	}}
	for hit, err := range client.Conversations.Search(ctx, query) {
		if err != nil {
			return err
		}
		ids = append(ids, hit.ID)
	}
	// The order of hits is unknown, and pages may repeat one.
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if id <= r.place.After {
			continue
		}
		if err := r.readConversation(ctx, client, id); err != nil {
			return err
		}
		if err := r.advance(ctx, func(p *windowPlace) { p.After = id }); err != nil {
			return err
		}
	}
	return nil
}

// readConversation reads a conversation with all its parts, unless no source selects
// it. Its state alone does not show whether tags, messages or ratings changed.
func (r *windowRun) readConversation(ctx context.Context, client *dixa.Client, id int64) error {
	known, err := r.Store.Mirror.Conversation(ctx, r.ConnectionID, id)
	if err != nil {
		return err
	}
	readAt := time.Now()
	found, err := client.Conversations.Get(ctx, id)
	if dixa.IsNotFound(err) {
		return nil // deleted since the search
	}
	if err != nil {
		return err
	}
	fact := mirror.ConversationFromObject(found, nil, nil, readAt).ReadAfter(known)
	change, err := r.Store.Mirror.Preview(ctx, r.ConnectionID, store.ConversationFact{ID: id, Fact: fact})
	if err != nil {
		return err
	}
	batch := r.newBatch()
	batch.Later = false
	if change == store.ChangeExcluded {
		batch.Facts = []store.ConversationFact{{ID: id, Fact: fact}}
		return r.store(ctx, batch)
	}
	tags, err := client.Conversations.Tags(ctx, id)
	if err != nil {
		return err
	}
	ratings, err := client.Conversations.Ratings(ctx, id)
	if err != nil {
		return err
	}
	if err := readMessages(ctx, client, id, &batch); err != nil {
		return err
	}
	batch.Facts = []store.ConversationFact{{ID: id, Fact: mirror.ConversationFromObject(found, tags, ratings, readAt).ReadAfter(known)}}
	batch.Reread = false
	if err := r.store(ctx, batch); err != nil {
		return err
	}
	rest := store.MirrorBatch{ConnectionID: r.ConnectionID}
	if err := r.readMissingLog(ctx, client, id, &rest); err != nil {
		return err
	}
	if len(rest.Activities) > 0 {
		if err := r.store(ctx, rest); err != nil {
			return err
		}
	}
	return r.Store.Mirror.MessagesRead(ctx, r.ConnectionID, id)
}
