package activities

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// erasurePage is how many rows are read at once.
const erasurePage = 500

// FindErasureRows finds the customer's claims, conversations and end users in the store.
func (a *ErasureStore) FindErasureRows(ctx context.Context, ref ErasureRef) error {
	return a.step(ctx, ref, claim.ErasureFind, "find the customer's rows", func(ctx context.Context, r *erasureRun) error {
		f := &finder{erasureRun: r, endUsers: map[string]bool{}}
		return f.find(ctx)
	})
}

// finder collects what belongs to the customer.
type finder struct {
	*erasureRun
	// endUsers are the customer's ids in the shop's Dixa.
	endUsers map[string]bool
}

func (f *finder) find(ctx context.Context) error {
	known, err := f.store.Erasures.Subjects(ctx, f.erasure.ID, store.SubjectEndUser, false)
	if err != nil {
		return err
	}
	for _, u := range known {
		f.endUsers[u.ID] = true
	}
	if err := f.rememberedEndUsers(ctx); err != nil {
		return err
	}
	// An end user that is found in the last conversation may have claims and other
	// conversations.
	for before := -1; before != len(f.endUsers); {
		before = len(f.endUsers)
		if err := f.claims(ctx); err != nil {
			return err
		}
		if err := f.conversations(ctx); err != nil {
			return err
		}
	}
	var users []store.ErasureSubject
	for id := range f.endUsers {
		users = append(users, f.endUser(id))
	}
	if err := f.store.Erasures.Found(ctx, f.erasure.ID, users, nil); err != nil {
		return err
	}
	others, err := f.store.Erasures.OtherShops(ctx, f.erasure.Shop, f.erasure.ID)
	if err != nil || others == 0 {
		return err
	}
	return f.store.Erasures.Note(ctx, f.erasure.ID, fmt.Sprintf("%d claims of the customer belong to other shops that use the same Dixa and stay; erase the customer there too", others))
}

// identities returns the keys under which the customer may be remembered.
func (f *finder) identities() []string {
	by, value, _ := f.person.By()
	switch by {
	case "email":
		return []string{"email:" + strings.ToLower(value)}
	case "external_id":
		return []string{"external:" + value}
	case "phone":
		return []string{"phone:" + e164(value, f.country)}
	}
	return nil
}

// rememberedEndUsers adds the end users that are remembered for the request or in the
// directory.
func (f *finder) rememberedEndUsers(ctx context.Context) error {
	if id := strings.TrimSpace(f.person.EndUserID); id != "" {
		f.endUsers[id] = true
	}
	if f.person.ConnectionID == "" {
		return nil
	}
	for _, identity := range f.identities() {
		id, err := f.store.Customers.EndUserOf(ctx, f.person.ConnectionID, identity)
		if err != nil {
			return err
		}
		if id != "" {
			f.endUsers[id] = true
		}
	}
	for after := ""; ; {
		entries, err := f.store.Erasures.EndUsers(ctx, f.person.ConnectionID, after, erasurePage)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			after = entry.ID
			if err := f.directoryEntry(ctx, entry); err != nil {
				return err
			}
		}
		if len(entries) < erasurePage {
			return nil
		}
	}
}

func (f *finder) directoryEntry(ctx context.Context, entry mirror.DirectoryEntry) error {
	var u dixa.EndUser
	readable := u.UnmarshalJSON(entry.Object) == nil
	found := readable && f.endUsers[entry.ID]
	for _, filter := range f.filters() {
		found = found || readable && matches(&u, filter)
	}
	if !found {
		return nil
	}
	f.endUsers[entry.ID] = true
	return f.store.Erasures.Found(ctx, f.erasure.ID, nil, wordsOf(&u))
}

// claims adds the shop's claims of the customer.
func (f *finder) claims(ctx context.Context) error {
	for after := ""; ; {
		page, err := f.store.Erasures.Claims(ctx, f.erasure.Shop, after, f.person.StartedAt, erasurePage)
		if err != nil {
			return err
		}
		var subjects []store.ErasureSubject
		var words []string
		for _, c := range page {
			after = c.Ref.ID
			if !f.made(c) {
				continue
			}
			subjects = append(subjects, store.ErasureSubject{Kind: store.SubjectClaim, ID: c.Ref.ID})
			if c.ConversationID != 0 {
				subjects = append(subjects, conversationSubject(c.ConnectionID, c.ConversationID))
			}
			if c.EndUserID != "" && c.ConnectionID == f.person.ConnectionID {
				f.endUsers[c.EndUserID] = true
			}
			for _, body := range c.Bodies {
				words = append(words, f.wordsOfClaim(body)...)
			}
		}
		if len(subjects) > 0 {
			if err := f.store.Erasures.Found(ctx, f.erasure.ID, subjects, words); err != nil {
				return err
			}
		}
		if len(page) < erasurePage {
			return nil
		}
	}
}

func conversationSubject(connectionID string, id int64) store.ErasureSubject {
	return store.ErasureSubject{Kind: store.SubjectConversation, ConnectionID: connectionID, ID: strconv.FormatInt(id, 10)}
}

// made reports whether the customer made a claim.
func (f *finder) made(c store.ErasureClaim) bool {
	if c.EndUserID != "" && f.endUsers[c.EndUserID] {
		return true
	}
	by, value, _ := f.person.By()
	for _, body := range c.Bodies {
		who := body.Customer
		switch by {
		case "email":
			if strings.EqualFold(strings.TrimSpace(who.Email), value) {
				return true
			}
		case "phone":
			if strings.TrimSpace(who.Phone) == value {
				return true
			}
			number := f.phoneOf(body)
			if number != "" && number == e164(value, body.Order.Address.CountryCode, body.Order.Address.Country, f.country) {
				return true
			}
		case "external_id":
			if who.ExternalID == value || who.ExternalID == "" && body.Order.ExternalCustomerID == value {
				return true
			}
		}
	}
	return false
}

func (f *finder) phoneOf(c *claim.Claim) string {
	return e164(c.Customer.Phone, c.Order.Address.CountryCode, c.Order.Address.Country, f.country)
}

func (f *finder) wordsOfClaim(c *claim.Claim) []string {
	who := c.Customer
	return distinct(strings.ToLower(strings.TrimSpace(who.Email)), strings.TrimSpace(who.Phone), f.phoneOf(c), strings.ToLower(who.ExternalID), strings.ToLower(c.Order.ExternalCustomerID))
}

// conversations adds the conversations that the customer requested.
func (f *finder) conversations(ctx context.Context) error {
	if f.person.ConnectionID == "" {
		return nil
	}
	by, value, _ := f.person.By()
	for after := int64(0); ; {
		page, last, err := f.store.Erasures.Conversations(ctx, f.person.ConnectionID, after, erasurePage)
		if err != nil {
			return err
		}
		var subjects []store.ErasureSubject
		for _, c := range page {
			named := by == "email" && strings.EqualFold(c.Email, value) || by == "phone" && c.Phone != "" && (c.Phone == value || c.Phone == e164(value, f.country))
			if named && c.RequesterID != "" {
				f.endUsers[c.RequesterID] = true
			}
			if named || f.endUsers[c.RequesterID] {
				subjects = append(subjects, conversationSubject(f.person.ConnectionID, c.ID))
			}
		}
		if len(subjects) > 0 {
			if err := f.store.Erasures.Found(ctx, f.erasure.ID, subjects, nil); err != nil {
				return err
			}
		}
		if last == after {
			return nil
		}
		after = last
	}
}
