// Package subscription maintains one webhook subscription in each Dixa organization
// that an enabled shop uses, so that Dixa reports what happens in conversations.
package subscription

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

// Name is the subscription's initial name in Dixa. It may be renamed there.
const Name = "Claimflow"

// Path is the path of the event receiver below the public address, before the
// connection's id.
const Path = "/webhooks/dixa/"

var (
	// ErrBusy means that another caller is changing the connection's subscription and
	// did not finish in time.
	ErrBusy = errors.New("another caller is changing the webhook subscription of this Dixa organization; try again")

	// ErrNoSecret means that Dixa does not return the subscription's secret. Without
	// it, no event can be verified.
	ErrNoSecret = errors.New("dixa does not return the secret of the webhook subscription; copy it from Dixa's settings and save it with `starter shop webhook-secret`")
)

// Dixa creates clients of connections.
type Dixa interface {
	Client(ctx context.Context, connectionID string) (*dixa.Client, error)
}

// Service maintains subscriptions. Create one with [New].
type Service struct {
	store  store.Subscriptions
	dixa   Dixa
	public string
}

// New returns a service. Dixa reaches it under the address public, such as
// "https://claims.example".
func New(s store.Subscriptions, d Dixa, public string) *Service {
	return &Service{store: s, dixa: d, public: strings.TrimRight(public, "/")}
}

// URL is the address to which Dixa sends a connection's events.
func (s *Service) URL(connectionID string) string { return s.public + Path + connectionID }

// Events are the events that the subscription requests: all conversation events.
func Events() []dixa.EventName {
	return slices.DeleteFunc(dixa.EventNames(), func(n dixa.EventName) bool { return !strings.HasPrefix(string(n), "Conversation") })
}

// Ensure ensures that Dixa sends events to the connection's address and that their
// secret is stored. It then calls the function then, if not nil, before another
// caller can remove the subscription again.
//
// Claimflow's subscription is the one that it created before, whatever its address is
// now, or else the oldest with the connection's address. Ensure corrects it if it was
// changed, and deletes further ones with that address. If there is none, Ensure
// creates one disabled and enables it once its secret is stored. It leaves a
// subscription alone if a person created it and saved its secret.
//
// Concurrent calls take turns. If a call ends between Dixa's commit and our own, the
// next one finds everything that it left.
func (s *Service) Ensure(ctx context.Context, connectionID string, then func(context.Context) error) error {
	return s.withLock(ctx, connectionID, func(ctx context.Context) error {
		if _, err := s.ensure(ctx, connectionID, s.URL(connectionID)); err != nil {
			return err
		}
		if then == nil {
			return nil
		}
		return then(ctx)
	})
}

// Repair does what [Service.Ensure] does for a connection that an enabled shop uses,
// and reports whether anything in Dixa had to change. It keeps the address that
// enabling set: workers call it, and a worker that does not know the public address
// must not misdirect Dixa's events.
func (s *Service) Repair(ctx context.Context, connectionID string) (changed bool, err error) {
	err = s.withLock(ctx, connectionID, func(ctx context.Context) error {
		wanted, err := s.store.Wanted(ctx, connectionID)
		if err != nil || !wanted {
			return err
		}
		kept, err := s.store.Get(ctx, connectionID)
		if err != nil {
			return err
		}
		changed, err = s.ensure(ctx, connectionID, cmp.Or(kept.URL, s.URL(connectionID)))
		return err
	})
	return changed, err
}

func (s *Service) ensure(ctx context.Context, connectionID, address string) (changed bool, err error) {
	kept, err := s.store.Get(ctx, connectionID)
	if err != nil || kept.State == claim.SubscriptionByHand {
		return false, err
	}
	client, err := s.dixa.Client(ctx, connectionID)
	if err != nil {
		return false, err
	}
	ours, doubles, err := find(ctx, client, kept.ID, address)
	if err == nil && ours == nil {
		ours, err = create(ctx, client, address)
	}
	if err != nil {
		return false, err
	}
	if ours.SecretKey == "" {
		return false, ErrNoSecret
	}
	// The secret is stored before anything can be signed with it.
	correction, wrong := corrected(ours, address)
	saved := store.SavedSubscription{ID: ours.ID, URL: address, Secret: ours.SecretKey.Reveal(), Active: !wrong}
	if err := s.store.Save(ctx, connectionID, saved); err != nil {
		return false, err
	}
	if wrong {
		_, err := connection.Call(ctx, func() (*dixa.WebhookSubscription, error) { return client.Webhooks.Update(ctx, ours.ID, correction) })
		if err != nil {
			return false, err
		}
		saved.Active = true
		if err := s.store.Save(ctx, connectionID, saved); err != nil {
			return false, err
		}
	}
	return wrong || len(doubles) > 0, remove(ctx, client, doubles)
}

// Remove deletes the connection's subscription from Dixa, unless an enabled shop
// uses the connection or a person created the subscription.
func (s *Service) Remove(ctx context.Context, connectionID string) error {
	return s.withLock(ctx, connectionID, func(ctx context.Context) error {
		wanted, err := s.store.Wanted(ctx, connectionID)
		if err != nil || wanted {
			return err
		}
		kept, err := s.store.Get(ctx, connectionID)
		if err != nil || kept.ID == "" {
			return err
		}
		client, err := s.dixa.Client(ctx, connectionID)
		if err != nil {
			return err
		}
		ours, doubles, err := find(ctx, client, kept.ID, s.URL(connectionID))
		if err != nil {
			return err
		}
		if ours != nil {
			doubles = append(doubles, ours)
		}
		if err := remove(ctx, client, doubles); err != nil {
			return err
		}
		return s.store.Delete(ctx, connectionID)
	})
}

// Inspect compares the connection's subscription in Dixa with its required state and
// describes each difference. It only reads.
func (s *Service) Inspect(ctx context.Context, connectionID string) (problems []string, err error) {
	kept, err := s.store.Get(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	secrets, err := s.store.Secrets(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	client, err := s.dixa.Client(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	address := s.URL(connectionID)
	ours, doubles, err := find(ctx, client, kept.ID, address)
	if err != nil {
		return nil, err
	}
	if ours == nil {
		return []string{"Dixa has no webhook subscription with the address " + address}, nil
	}
	correction, _ := corrected(ours, address)
	for _, c := range []struct {
		wrong bool
		words string
	}{
		{correction.URL != "", "the subscription's address is not " + address},
		{correction.Enabled != nil, "the subscription is disabled in Dixa"},
		{correction.Events != nil, "the subscription lacks required events"},
		{correction.Filters != nil, "the subscription's filters exclude conversations"},
		{correction.Authorization != nil, "the subscription has an authorization that Claimflow did not set"},
		{!slices.Contains(secrets, ours.SecretKey.Reveal()), "the subscription's secret differs from the stored secret"},
		{len(doubles) > 0, "Dixa has several subscriptions with this address"},
	} {
		if c.wrong {
			problems = append(problems, c.words)
		}
	}
	return problems, nil
}

const (
	// lease is how long a lock lasts if it is not released: longer than a request to
	// our API may take.
	lease = 2 * time.Minute
	// patience is how long to wait for another holder's lock.
	patience = 30 * time.Second
)

// withLock runs do while no other caller, in any process, changes the connection's
// subscription.
func (s *Service) withLock(ctx context.Context, connectionID string, do func(context.Context) error) error {
	holder := uuid.NewString()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 20*time.Millisecond, time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		held, err := s.store.Lock(ctx, connectionID, holder, lease)
		switch {
		case err != nil:
			return struct{}{}, backoff.Permanent(err)
		case !held:
			return struct{}{}, ErrBusy
		default:
			return struct{}{}, nil
		}
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(patience))
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok {
		err = permanent.Err
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	err = do(ctx)
	releasing, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	// A lock that cannot be released expires.
	if failed := s.store.Unlock(releasing, connectionID, holder); failed != nil && err != nil {
		err = fmt.Errorf("%w (and %w)", err, failed)
	}
	return err
}
