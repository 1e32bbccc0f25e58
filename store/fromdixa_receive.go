package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ForeignEventError means that an event belongs to a different Dixa organization than
// its connection.
type ForeignEventError struct {
	// Have is the connection's organization, empty if unknown. Got is the event's
	// organization, empty if it names none.
	Have, Got string
}

func (e *ForeignEventError) Error() string {
	return fmt.Sprintf("the event belongs to Dixa organization %q, but the connection belongs to %q", e.Got, e.Have)
}

// Receive stores an event of a connection. fresh is false if the event was stored
// before, even if its body was dropped since: an event id is processed only once. If
// Receive returns nil, the event is durable. If ctx ends first, it may be.
//
// The first event of a connection with an unknown organization pins the
// organization. Receive returns a [*ForeignEventError] for an event of another
// organization or of none, a [*ConflictError] for an event of an organization that
// another connection has, and [ErrNotFound] for an unknown connection.
//
// Concurrent calls share a transaction, but not their errors: a bad event fails only
// its own call.
func (s Inbox) Receive(ctx context.Context, connectionID string, e DixaEvent) (fresh bool, err error) {
	doing := "store event " + e.ID
	sealed, err := s.seal(inboxBody, e.Body, connectionID, e.ID)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	a := &incomingEvent{connection: connectionID, event: e, sealed: sealed}
	select {
	case <-s.arrivals.add(a):
	case <-ctx.Done():
		return false, fmt.Errorf("%s: the caller stopped waiting, and the event may be stored; it is safe to send it again: %w", doing, ctx.Err())
	}
	if a.kept {
		return a.fresh, nil
	}
	return s.receiveOne(ctx, doing, a)
}

// incomingEvent is an event on its way into the inbox.
type incomingEvent struct {
	connection string
	event      DixaEvent
	sealed     []byte

	// kept and fresh are the result. An event that was not kept needs a transaction
	// of its own.
	kept, fresh bool
}

func (a *incomingEvent) key() [2]string { return [2]string{a.connection, a.event.ID} }

// insertBatch inserts those events of a batch that match their connection's known
// organization, in a single-statement transaction. It leaves the others alone, and
// all of them if the transaction fails. Each remaining event then gets its own
// error.
func (s *core) insertBatch(ctx context.Context, batch []*incomingEvent) {
	var well []*incomingEvent
	var inserted map[[2]string]bool
	// A single statement is a transaction: its rows are durable once its result has
	// been read to the end. Reading the organizations outside of it is safe because
	// a known organization never changes.
	err := withRetry(ctx, "store events", func() error {
		have, err := organizationsOf(ctx, s.reads, batch)
		if err != nil {
			return err
		}
		well, inserted = nil, nil
		for _, a := range batch {
			if have[a.connection] != "" && have[a.connection] == a.event.Organization.ID {
				well = append(well, a)
			}
		}
		if len(well) == 0 {
			return nil
		}
		inserted, err = s.insertEvents(ctx, s.writes, well)
		return err
	})
	if err != nil {
		return
	}
	for _, a := range well {
		a.kept, a.fresh = true, inserted[a.key()]
		delete(inserted, a.key()) // of two events with the same id, only one is fresh
	}
}

// organizationsOf reads the organization of each connection of a batch. An unknown
// organization is empty.
func organizationsOf(ctx context.Context, q querier, batch []*incomingEvent) (map[string]string, error) {
	have := map[string]string{}
	for _, a := range batch {
		have[a.connection] = ""
	}
	var args arguments
	places := placeholders(&args, slices.Collect(maps.Keys(have)))
	err := queryEach(ctx, q, func(scan func(...any) error) error {
		var id string
		var organization sql.NullString
		err := scan(&id, &organization)
		have[id] = organization.String
		return err
	}, `SELECT id, organization_id FROM connections WHERE id IN (`+places+`)`, args...)
	return have, err
}

// insertEvents inserts events into the inbox and returns the keys of the new ones.
func (s *core) insertEvents(ctx context.Context, q querier, batch []*incomingEvent) (map[[2]string]bool, error) {
	// All processes insert in the same order. Otherwise two that insert the same ids
	// could deadlock.
	batch = slices.SortedStableFunc(slices.Values(batch), func(a, b *incomingEvent) int {
		return cmp.Or(strings.Compare(a.connection, b.connection), strings.Compare(a.event.ID, b.event.ID))
	})
	now := s.now()
	var args arguments
	rows := make([]string, len(batch))
	for i, a := range batch {
		var conversation any
		if a.event.ConversationID > 0 {
			conversation = a.event.ConversationID
		}
		rows[i] = "(" + placeholders(&args, []any{
			a.connection, a.event.ID, plain(a.event.Name), conversation, micros(a.event.HappenedAt), now, a.sealed,
		}) + ")"
	}
	inserted := map[[2]string]bool{}
	err := queryEach(ctx, q, func(scan func(...any) error) error {
		var key [2]string
		err := scan(&key[0], &key[1])
		inserted[key] = true
		return err
	}, `INSERT INTO inbox (connection_id, event_id, name, conversation_id, happened_at, received_at, body) VALUES `+strings.Join(rows, ", ")+`
		ON CONFLICT (connection_id, event_id) DO NOTHING RETURNING connection_id, event_id`, args...)
	return inserted, err
}

// receiveOne stores an event in a transaction of its own.
func (s *core) receiveOne(ctx context.Context, doing string, a *incomingEvent) (fresh bool, err error) {
	err = s.write(ctx, doing, func(tx *sql.Tx) error {
		if err := s.checkOrganization(ctx, tx, a.connection, a.event.Organization); err != nil {
			return err
		}
		inserted, err := s.insertEvents(ctx, tx, []*incomingEvent{a})
		fresh = inserted[a.key()]
		return err
	})
	return fresh, err
}

// checkOrganization checks that an organization is the connection's, and pins it if
// the connection's is unknown.
func (s *core) checkOrganization(ctx context.Context, tx *sql.Tx, connectionID string, org Organization) error {
	have, err := organizationOf(ctx, tx, connectionID)
	if err != nil || have == org.ID && have != "" {
		return err
	}
	if have == "" && org.ID != "" {
		return s.pinOrganization(ctx, tx, connectionID, org)
	}
	return &ForeignEventError{Have: have, Got: org.ID}
}

func organizationOf(ctx context.Context, tx *sql.Tx, connectionID string) (string, error) {
	var id sql.NullString
	err := queryOne(ctx, tx, notFound("connection "+connectionID), []any{&id}, `SELECT organization_id FROM connections WHERE id = $1`, connectionID)
	return id.String, err
}

// pinOrganization sets the organization of a connection that has none.
func (s *core) pinOrganization(ctx context.Context, tx *sql.Tx, connectionID string, org Organization) error {
	if _, _, err := lockPlatform(ctx, tx); err != nil {
		return err
	}
	// Another event, or a token, may have pinned it before the lock was acquired.
	have, err := organizationOf(ctx, tx, connectionID)
	if err != nil {
		return err
	}
	if have != "" && have != org.ID {
		return &ForeignEventError{Have: have, Got: org.ID}
	}
	var other string
	err = queryOne(ctx, tx, ErrNotFound, []any{&other}, `SELECT id FROM connections WHERE organization_id = $1 AND id <> $2`, org.ID, connectionID)
	if err == nil {
		return conflict("connection %s belongs to Dixa organization %s, which already has connection %s; save the token of that connection for the shops of this one, too", connectionID, org.ID, other)
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE connections SET organization_id = $2, organization_name = CASE WHEN $3 = '' THEN organization_name ELSE $3 END, updated_at = $4
		WHERE id = $1`, connectionID, org.ID, plain(org.Name), s.now())
	return err
}
