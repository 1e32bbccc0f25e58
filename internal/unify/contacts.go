package unify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/directory"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// contacts reads end users.
type contacts struct{ *Service }

// liveContacts is how many contacts a page from Dixa has at most: each may take a request
// for its custom attributes.
const liveContacts = 50

// contactCursor is a place in the mirror's list, or Dixa's own key.
type contactCursor struct {
	ID       string `json:"id,omitempty"`
	Backward bool   `json:"backward,omitempty"`
	Key      string `json:"key,omitempty"`
}

func (c *contacts) list(ctx context.Context, r *Request, cursor string) (page unified.Page, source Source, err error) {
	source, mirrored, err := c.mirroredDirectory(ctx, r)
	if err != nil {
		return page, source, err
	}
	var from contactCursor
	if cursor != "" {
		if err := json.Unmarshal([]byte(cursor), &from); err != nil {
			return page, source, fmt.Errorf("decode a cursor: %w", err)
		}
		mirrored = from.Key == "" // a list goes on where it began
	}
	// Addresses are sealed in the mirror. Dixa finds them.
	if !mirrored || len(r.Where) > 0 {
		return c.listLive(ctx, r, from.Key)
	}
	backward := from.Backward != r.Descending
	entries, more, err := c.Store.Mirror.DirectoryPage(ctx, r.Account, mirror.KindEndUser, from.ID, backward, r.Limit)
	if err != nil {
		return page, source, err
	}
	if len(entries) == 0 {
		if from.ID == "" && !r.Sorted {
			return c.listLive(ctx, r, "") // the token of the import may not have been allowed to read them
		}
		return page, source, nil
	}
	if r.Descending {
		slices.Reverse(entries)
	}
	if err := c.complete(ctx, r, entries, mirrored); err != nil {
		return page, source, err
	}
	if page.Items, err = contactsOf(entries); err != nil {
		return page, source, err
	}
	if !from.Backward && more || from.Backward {
		page.Next, err = contactText(contactCursor{ID: entries[len(entries)-1].ID})
	}
	if err == nil && (from.Backward && more || !from.Backward && from.ID != "") {
		page.Previous, err = contactText(contactCursor{ID: entries[0].ID, Backward: true})
	}
	return page, source, err
}

func contactText(c contactCursor) (string, error) {
	text, err := json.Marshal(c)
	return string(text), err
}

func contactsOf(entries []mirror.DirectoryEntry) ([]unified.Object, error) {
	all := make([]unified.Object, len(entries))
	for i, e := range entries {
		contact, err := unified.ContactOf(e)
		if err != nil {
			return nil, err
		}
		all[i] = contact
	}
	return all, nil
}

// listLive lists end users by Dixa's list, in Dixa's order.
//
// Dixa: GET /v1/endusers.
func (c *contacts) listLive(ctx context.Context, r *Request, key string) (page unified.Page, source Source, err error) {
	source = liveNow()
	if r.Sorted {
		return page, source, unified.Invalid("sort_by["+r.SortBy+"]", "cannot be used here: Dixa's list has no order, and the mirror does not answer this request")
	}
	client, err := c.Clients.Client(ctx, r.Account)
	if err != nil {
		return page, source, err
	}
	// Dixa answers the first condition.
	rest := &unified.Query{Where: slices.Clone(r.Where[min(1, len(r.Where)):])}
	var next string
	for _, filter := range endUserFilters(r) {
		filter.PageLimit = min(r.Limit, liveContacts)
		for {
			var users []*dixa.EndUser
			users, next, err = client.EndUsers.ListPage(ctx, filter, key)
			if dixa.IsNotFound(err) {
				users, next, err = nil, "", nil // Dixa may answer so if there is no match
			}
			if err != nil {
				return page, source, err
			}
			entries := make([]mirror.DirectoryEntry, len(users))
			for i, u := range users {
				entries[i] = directory.EndUser(u)
			}
			if err := c.complete(ctx, r, entries, false); err != nil {
				return page, source, err
			}
			found, err := contactsOf(entries)
			if err != nil {
				return page, source, err
			}
			for _, o := range found {
				d, err := unified.DocumentOf(o)
				if err != nil {
					return page, source, err
				}
				if rest.Matches(d) {
					page.Items = append(page.Items, o)
				}
			}
			if key = next; next == "" || len(page.Items) > 0 && len(r.Where) == 0 {
				break // an empty page with a cursor would end some clients' lists
			}
		}
	}
	if len(r.Where) > 0 {
		page.Items = distinct(page.Items)
	} else if next != "" {
		page.Next, err = contactText(contactCursor{Key: next})
	}
	return page, source, err
}

// endUserFilters returns the lists of Dixa that answer the first condition of a request.
// Dixa filters by one value of one field.
func endUserFilters(r *Request) []dixa.EndUserFilter {
	all := []dixa.EndUserFilter{{Email: r.Remote.Get("email"), Phone: r.Remote.Get("phone"), ExternalID: r.Remote.Get("externalId")}}
	if len(r.Where) == 0 {
		return all
	}
	all = nil
	for _, v := range r.Where[0].Values {
		switch r.Where[0].Field {
		case "emails.email":
			all = append(all, dixa.EndUserFilter{Email: v})
		case "phones.number":
			all = append(all, dixa.EndUserFilter{Phone: v})
		default:
			all = append(all, dixa.EndUserFilter{ExternalID: v})
		}
	}
	return all
}

// distinct returns each object once, by id.
func distinct(all []unified.Object) []unified.Object {
	slices.SortStableFunc(all, func(a, b unified.Object) int { return strings.Compare(a.Key(), b.Key()) })
	return slices.CompactFunc(all, func(a, b unified.Object) bool { return a.Key() == b.Key() })
}

// complete adds the custom attributes of end users, which Dixa's list leaves out. It asks
// Dixa only if the organization defines any and if they were not read recently. Those of
// the mirror are stored.
func (c *contacts) complete(ctx context.Context, r *Request, entries []mirror.DirectoryEntry, mirrored bool) error {
	if slices.Contains(r.Exclude, "custom_fields") {
		return nil
	}
	var due []int
	for i := range entries {
		if !c.recent(entries[i].CompleteAt) {
			due = append(due, i)
		}
	}
	if len(due) == 0 {
		return nil
	}
	any, err := c.definesAttributes(ctx, r)
	if err != nil || !any {
		return err
	}
	err = each(ctx, len(due), func(ctx context.Context, i int) error {
		e, _, err := c.readOne(ctx, r.Account, mirror.KindEndUser, entries[due[i]].ID, maxAge(r))
		if dixa.IsNotFound(err) {
			return nil // gone since the list
		}
		if err == nil {
			entries[due[i]] = e
		}
		return err
	})
	if err != nil || !mirrored {
		return err
	}
	read := make([]mirror.DirectoryEntry, 0, len(due))
	for _, i := range due {
		if !entries[i].CompleteAt.IsZero() {
			read = append(read, entries[i])
		}
	}
	_, err = c.Store.Mirror.SaveDirectory(ctx, r.Account, mirror.KindEndUser, read, time.Now())
	return err
}

// definesAttributes reports whether the organization defines custom attributes of end
// users.
func (c *contacts) definesAttributes(ctx context.Context, r *Request) (bool, error) {
	_, mirrored, err := c.directoryRead(ctx, r.Account)
	if err != nil {
		return false, err
	}
	var all []mirror.DirectoryEntry
	if mirrored {
		all, err = c.Store.Mirror.Directory(ctx, r.Account, mirror.KindAttribute)
	} else if all, _, err = c.listed(ctx, r.Account, mirror.KindAttribute, directory.Listed, cacheFor); unreadable(err) {
		return true, nil // the end users themselves tell
	}
	if err != nil {
		return false, err
	}
	for _, e := range all {
		f, err := unified.FieldOf(e)
		if err != nil {
			return false, err
		}
		if f.EntityType == unified.EntityContact {
			return true, nil
		}
	}
	return false, nil
}

func (c *contacts) get(ctx context.Context, r *Request, id string) (unified.Object, Source, error) {
	source, mirrored, err := c.mirroredDirectory(ctx, r)
	if err != nil {
		return nil, source, err
	}
	if mirrored {
		row, err := c.Store.Mirror.DirectoryRow(ctx, r.Account, mirror.KindEndUser, id)
		switch {
		case errors.Is(err, store.ErrNotFound) || err == nil && !row.GoneAt.IsZero():
		case err != nil:
			return nil, source, err
		default:
			one := []mirror.DirectoryEntry{row.DirectoryEntry}
			if err := c.complete(ctx, r, one, true); err != nil {
				return nil, source, err
			}
			contact, err := unified.ContactOf(one[0])
			return contact, source, err
		}
	}
	e, at, err := c.readOne(ctx, r.Account, mirror.KindEndUser, id, maxAge(r))
	source = Source{Live: true, At: at}
	if err != nil {
		return nil, source, err
	}
	contact, err := unified.ContactOf(e)
	return contact, source, err
}
