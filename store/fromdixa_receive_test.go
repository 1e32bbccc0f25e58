package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/store"
)

// sending is one delivery of an event and its outcome.
type sending struct {
	connection, id, organization string
	// wrong is the defect of the delivery, or empty if it has none. left reports that
	// the sender disconnects.
	wrong string
	left  bool

	fresh bool
	err   error
}

// storm returns 2,000 deliveries to three connections. The last connection does not
// know its organization yet. Three in ten deliveries are duplicates, some come from
// another organization or name an unknown connection, and some senders disconnect.
func storm(connections [3]string) []*sending {
	const deliveries = 2000
	out := make([]*sending, deliveries)
	for i := range out {
		n := i
		if i%10 < 3 {
			n = i / 2
		}
		s := &sending{connection: connections[n%3], id: fmt.Sprint("e-", n), organization: fmt.Sprint("org-", n%3)}
		switch {
		case i%23 == 5: // also reuses IDs of valid events
			s.wrong, s.organization = "foreign", "org-0"
			if n%3 == 0 {
				s.organization = "org-1"
			}
		case i%31 == 7:
			s.wrong, s.connection = "unknown", "nobody"
		case i%13 == 3:
			s.left = true
		}
		out[i] = s
	}
	return out
}

func TestConcurrentEventsGetTheirOwnResults(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s, now := setup(t, database(t))
			addShop(t, s, "second")
			addShop(t, s, "third")
			unknown, err := s.Connections.SaveToken(ctx, "third", tokenA, store.Organization{})
			require.NoError(t, err)
			sendings := storm([3]string{connect(t, s, "acme", "org-0").ID, connect(t, s, "second", "org-1").ID, unknown.ID})

			const senders = 64
			for _, err := range atOnce(senders, func(sender int) error {
				for i := sender; i < len(sendings); i += senders {
					d := sendings[i]
					ctx, cancel := context.WithCancel(ctx)
					if d.left {
						go cancel()
					}
					d.fresh, d.err = s.Inbox.Receive(ctx, d.connection, closed(d.id, d.organization, 7))
					cancel()
					if d.err == nil {
						// The event is committed before the answer, so another database
						// connection sees it.
						if _, err := s.Inbox.Event(t.Context(), d.connection, d.id); err != nil {
							return fmt.Errorf("acknowledged, but not stored: %w", err)
						}
					}
				}
				return nil
			}) {
				require.NoError(t, err)
			}
			// Events are processed in order, so this one completes after every event
			// whose sender disconnected.
			last := &sending{connection: sendings[0].connection, id: "last", organization: sendings[0].organization}
			last.fresh, last.err = s.Inbox.Receive(ctx, last.connection, closed(last.id, last.organization, 7))
			sendings = append(sendings, last)

			first, answered, left := map[[2]string]int{}, map[[2]string]bool{}, map[[2]string]bool{}
			for _, d := range sendings {
				key := [2]string{d.connection, d.id}
				var foreign *store.ForeignEventError
				var conflict *store.ConflictError
				switch {
				case d.wrong == "unknown":
					require.ErrorIs(t, d.err, store.ErrNotFound)
				case d.wrong == "foreign" && d.connection == unknown.ID:
					require.Error(t, d.err)
					require.True(t, errors.As(d.err, &foreign) || errors.As(d.err, &conflict), "another connection has this organization: %v", d.err)
				case d.wrong == "foreign":
					require.ErrorAs(t, d.err, &foreign)
					require.Equal(t, d.organization, foreign.Got, "each call must get its own error")
				case d.err != nil:
					require.True(t, d.left, "only a disconnected sender may get an error: %v", d.err)
					require.ErrorIs(t, d.err, context.Canceled)
					left[key] = true
				default:
					answered[key] = true
					if d.fresh {
						first[key]++
					}
				}
			}
			require.Greater(t, len(answered), 1000)
			kept := 0
			for key := range answered {
				kept++
				if left[key] {
					require.LessOrEqual(t, first[key], 1, key)
				} else {
					require.Equal(t, 1, first[key], "exactly one event with an id must be the first: %v", key)
				}
				delete(left, key)
			}
			for key := range left {
				if _, err := s.Inbox.Event(ctx, key[0], key[1]); err == nil {
					kept++
				}
			}
			now.Turn(time.Minute)
			n, err := s.Inbox.DropBodies(ctx, now.Now())
			require.NoError(t, err)
			require.Equal(t, kept, n, "nothing else must be stored")
		})
	}
}

func TestInvalidEventFailsAlone(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		c := connect(t, s, "acme", "org-1")
		for i, err := range atOnce(200, func(i int) error {
			id := fmt.Sprint("e-", i)
			if i%20 == 0 {
				id += "\x00" // PostgreSQL rejects NUL in text
			}
			fresh, err := s.Inbox.Receive(t.Context(), c.ID, closed(id, "org-1", 7))
			if err == nil && !fresh {
				return errors.New("not the first")
			}
			return err
		}) {
			if i%20 == 0 && strings.HasSuffix(t.Name(), "/postgres") {
				require.ErrorContains(t, err, "store event e-")
			} else {
				require.NoError(t, err, "event %d", i)
			}
		}
	})
}

func TestEventOfADisconnectedSender(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, memory)
	c := connect(t, s, "acme", "org-1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Inbox.Receive(ctx, c.ID, closed("e-1", "org-1", 7))
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Inbox.Event(t.Context(), c.ID, "e-1")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestStoreClosedWhileEventsArrive(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		if name == "memory" {
			continue // closing deletes it
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, keys := database(t), newKeys(t)
			s := open(t, url, keys)
			addShop(t, s, "acme")
			c := connect(t, s, "acme", "org-1")
			var answered atomic.Int64
			enough := make(chan struct{})
			var closing sync.WaitGroup
			closing.Go(func() {
				<-enough
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			const senders = 64
			ids := make([][]string, senders)
			for _, err := range atOnce(senders, func(sender int) error {
				for i := 0; ; i++ {
					id := fmt.Sprintf("e-%d-%d", sender, i)
					if _, err := s.Inbox.Receive(t.Context(), c.ID, closed(id, "org-1", 7)); err != nil {
						return err
					}
					ids[sender] = append(ids[sender], id)
					if answered.Add(1) == 500 {
						close(enough)
					}
				}
			}) {
				require.Error(t, err, "a closed store must refuse events")
			}
			closing.Wait()

			again := open(t, url, keys)
			for _, id := range slices.Concat(ids...) {
				_, err := again.Inbox.Event(t.Context(), c.ID, id)
				require.NoError(t, err, "acknowledged events must be stored")
			}
		})
	}
}
