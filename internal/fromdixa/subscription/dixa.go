package subscription

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
)

// find queries Dixa for our subscription, by its known id or else by its address,
// and for others with that address. ours is nil if there is none.
func find(ctx context.Context, client *dixa.Client, id, address string) (ours *dixa.WebhookSubscription, doubles []*dixa.WebhookSubscription, err error) {
	all, err := connection.Call(ctx, func() ([]*dixa.WebhookSubscription, error) { return client.Webhooks.List(ctx) })
	if err != nil {
		return nil, nil, err
	}
	all = slices.DeleteFunc(all, func(w *dixa.WebhookSubscription) bool { return w.ID != id && !sameURL(w.URL, address) })
	slices.SortStableFunc(all, func(a, b *dixa.WebhookSubscription) int {
		known := func(w *dixa.WebhookSubscription) int {
			if w.ID == id {
				return 0
			}
			return 1
		}
		return cmp.Or(known(a)-known(b), a.CreatedAt.Compare(b.CreatedAt.Time), strings.Compare(a.ID, b.ID))
	})
	if len(all) == 0 {
		return nil, nil, nil
	}
	return all[0], all[1:], nil
}

// create creates a disabled subscription. If Dixa's answer is lost, it searches for
// the subscription.
func create(ctx context.Context, client *dixa.Client, address string) (*dixa.WebhookSubscription, error) {
	off := false
	made, err := connection.Call(ctx, func() (*dixa.WebhookSubscription, error) {
		return client.Webhooks.Create(ctx, dixa.WebhookInput{Name: Name, URL: address, Events: Events(), Enabled: &off})
	})
	if dixa.OutcomeOf(err) != dixa.Ambiguous {
		return made, err
	}
	found, _, lookErr := find(ctx, client, "", address)
	if lookErr != nil || found == nil {
		return nil, err
	}
	return found, nil
}

// corrected returns the required changes to a subscription; wrong is false if there
// are none. The name and other headers are not checked.
func corrected(w *dixa.WebhookSubscription, address string) (change dixa.WebhookInput, wrong bool) {
	if !sameURL(w.URL, address) {
		change.URL, wrong = address, true
	}
	if missing := slices.ContainsFunc(Events(), func(e dixa.EventName) bool { return !slices.Contains(w.SubscribedEvents, e) }); missing {
		change.Events, wrong = Events(), true
	}
	for header := range w.Headers {
		if strings.EqualFold(header, "Authorization") {
			change.Authorization, wrong = dixa.NoAuth(), true
		}
	}
	if len(w.Filters) > 0 {
		change.Filters, wrong = map[string]dixa.WebhookFilters{}, true
	}
	if !w.Enabled {
		on := true
		change.Enabled, wrong = &on, true
	}
	return change, wrong
}

// remove deletes subscriptions. An already deleted one is not an error.
func remove(ctx context.Context, client *dixa.Client, all []*dixa.WebhookSubscription) error {
	for _, w := range all {
		err := connection.Do(ctx, func() error { return client.Webhooks.Delete(ctx, w.ID) })
		if err != nil && !dixa.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// sameURL reports whether two addresses are equal regardless of spelling.
func sameURL(a, b string) bool {
	return a == b || spelling(a) == spelling(b)
}

func spelling(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return address
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
		if u.Scheme == scheme {
			u.Host = strings.TrimSuffix(u.Host, port)
		}
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u.String()
}
