package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
	"go.temporal.io/sdk/temporal"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// reservation is how long one claim may make other claims of the same customer wait
// while it looks the customer up. It is longer than an attempt can take.
const reservation = 3 * time.Minute

// customer finds the claim's customer in Dixa or creates them. It searches by email
// as given, then in lower case. Without an email it searches by external id, then by
// phone. It remembers the customer it found. If two claims of one new customer arrive
// at the same time, one waits for the other. It never changes an existing end user.
// revision is the revision of the claim's body that names the customer.
func (s *session) customer(ctx context.Context) (endUserID string, revision int64, err error) {
	c, revision, err := s.store.Claims.OpeningBody(ctx, s.ref)
	if err != nil {
		return "", 0, fmt.Errorf("read the claim: %w", err)
	}
	if endUserID, err = s.customerOf(ctx, c, customerStep(revision)); err != nil {
		return "", 0, fmt.Errorf("find or create the customer: %w", err)
	}
	return endUserID, revision, nil
}

// customerStep is the step that creates the customer for a revision of the claim's
// body. Another revision may name another person.
func customerStep(revision int64) string {
	if revision == 0 {
		return claim.StepCustomer
	}
	return fmt.Sprintf("%s:%d", claim.StepCustomer, revision)
}

func (s *session) customerOf(ctx context.Context, c *claim.Claim, step string) (string, error) {
	who, ok := personOf(c, s.ticket.DefaultCountry)
	if !ok {
		return "", parked(claim.CauseNoContact, noContact(c))
	}
	held, err := s.store.Customers.Reserve(ctx, s.work.ConnectionID, who.identity, s.ref.String(), reservation+s.window())
	if err != nil {
		return "", fmt.Errorf("reserve the customer: %w", err)
	}
	if held.EndUserID != "" {
		return held.EndUserID, nil
	}
	if !held.Held {
		return "", retryable(claim.ErrorBusy, "another claim is looking up the same customer", nil, 2*time.Second)
	}
	id, err := s.findOrCreate(ctx, who, step)
	if err != nil {
		if mayAppear(err) {
			return "", err
		}
		// The reservation expires by itself. Releasing it now spares other claims
		// the wait.
		if releaseErr := s.store.Customers.Release(context.WithoutCancel(ctx), s.work.ConnectionID, who.identity, s.ref.String()); releaseErr != nil {
			err = errors.Join(err, releaseErr)
		}
		return "", err
	}
	if err := s.store.Customers.Remember(ctx, s.work.ConnectionID, []string{who.identity}, id, s.ref.String()); err != nil {
		return "", fmt.Errorf("remember the customer: %w", err)
	}
	return id, nil
}

// mayAppear reports whether the customer may still appear in Dixa, created by an
// unanswered attempt. Until that is settled, no other claim may create them.
func mayAppear(err error) bool {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type() == claim.ErrorAmbiguous
	}
	return dixa.OutcomeOf(err) == dixa.Ambiguous
}

func (s *session) findOrCreate(ctx context.Context, who person, step string) (string, error) {
	intent, err := s.store.Intents.Get(ctx, s.ref, step)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("read the intent: %w", err)
	}
	// executeOnce itself searches for an open intent.
	if intent.SentAt.IsZero() && intent.DoneAt.IsZero() {
		id, found, err := s.find(ctx, who)
		if err != nil || found {
			return id, err
		}
	}
	return executeOnce(ctx, s.store, write[string]{
		ref: s.ref, step: step, window: s.window(), unknown: claim.CauseCustomer,
		find: func(ctx context.Context) (string, bool, error) { return s.find(ctx, who) },
		send: func(ctx context.Context, _ string) (string, error) {
			u, err := s.createEndUser(ctx, who.input)
			if err == nil {
				return u.ID, nil
			}
			if dixa.IsEmailExists(err) {
				if agent, lookErr := s.isAgent(ctx, who.input.Email); lookErr == nil && agent {
					return "", errors.Join(err, errAgentAddress)
				}
			}
			return "", err
		},
		isDuplicate: func(err error) bool {
			return (dixa.IsEmailExists(err) || dixa.IsPhoneExists(err)) && !errors.Is(err, errAgentAddress)
		},
	})
}

// createEndUser creates an end user without the values that Dixa rejects and that do
// not identify the customer.
func (s *session) createEndUser(ctx context.Context, in dixa.EndUserInput) (*dixa.EndUser, error) {
	u, err := s.client.EndUsers.Create(ctx, in)
	if dixa.IsPhoneExists(err) && in.Email != "" {
		// The number belongs to someone else, such as a family member. Dixa keeps
		// email addresses unique, so this cannot create a duplicate.
		in.PhoneNumber = ""
		u, err = s.client.EndUsers.Create(ctx, in)
	}
	if !contentRefused(err) || dixa.IsEmailExists(err) || dixa.IsPhoneExists(err) {
		return u, err
	}
	// Dixa does not document how long a name may be.
	in.DisplayName, in.FirstName, in.LastName = "", "", ""
	nameless, again := s.client.EndUsers.Create(ctx, in)
	if contentRefused(again) && !dixa.IsEmailExists(again) && !dixa.IsPhoneExists(again) {
		return nil, err // the name was not the reason
	}
	if again != nil {
		return nil, again
	}
	return nameless, s.refused(ctx, func(r *refusedDraft) { r.Name = true })
}

var errAgentAddress = parked(claim.CauseCustomer, "the customer's email address belongs to an agent in Dixa")

func (s *session) isAgent(ctx context.Context, email string) (bool, error) {
	for _, err := range s.client.Agents.List(ctx, dixa.AgentFilter{Email: email}) {
		return err == nil, err
	}
	return false, nil
}

// person is a claim's customer in Dixa's terms.
type person struct {
	// identity is the key under which they are remembered.
	identity string
	filters  []dixa.EndUserFilter
	input    dixa.EndUserInput
}

// personOf converts the claim's customer to a person. It reports false if nothing
// identifies them.
func personOf(c *claim.Claim, defaultCountry string) (person, bool) {
	who := c.Customer
	p := person{input: dixa.EndUserInput{
		DisplayName: strings.TrimSpace(who.FirstName + " " + who.LastName),
		FirstName:   who.FirstName, LastName: who.LastName,
		Email: who.Email, PhoneNumber: e164(who.Phone, c.Order.Address.CountryCode, c.Order.Address.Country, defaultCountry),
		ExternalID: cmp.Or(who.ExternalID, c.Order.ExternalCustomerID),
	}}
	if p.input.DisplayName == "" {
		p.input.DisplayName = cmp.Or(p.input.Email, p.input.PhoneNumber)
	}
	lower := strings.ToLower(who.Email)
	switch {
	case who.Email != "":
		p.identity = "email:" + lower
		p.filters = []dixa.EndUserFilter{{Email: who.Email}}
		if lower != who.Email {
			p.filters = append(p.filters, dixa.EndUserFilter{Email: lower})
		}
	case p.input.ExternalID != "":
		p.identity = "external:" + p.input.ExternalID
		p.filters = []dixa.EndUserFilter{{ExternalID: p.input.ExternalID}}
		if p.input.PhoneNumber != "" {
			p.filters = append(p.filters, dixa.EndUserFilter{Phone: p.input.PhoneNumber})
		}
	case p.input.PhoneNumber != "":
		p.identity = "phone:" + p.input.PhoneNumber
		p.filters = []dixa.EndUserFilter{{Phone: p.input.PhoneNumber}}
	}
	return p, p.identity != ""
}

// noContact explains why nothing in a claim identifies its customer. It does not
// repeat a phone number.
func noContact(c *claim.Claim) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, c.Customer.Phone)
	const none = "the claim has no email address, no external customer id"
	if strings.TrimSpace(c.Customer.Phone) == "" {
		return none + " and no phone number"
	}
	shown := "(no digits)"
	if len(digits) > 4 {
		shown = fmt.Sprintf("(%d digits, ends in %s)", len(digits), digits[len(digits)-2:])
	} else if digits != "" {
		shown = fmt.Sprintf("(%d digits)", len(digits))
	}
	return none + ", and its phone number " + shown + " cannot be parsed: it is neither in international form (+49 …) nor a number in the country of the claim's address or of default_country; " +
		"set default_country or correct the claim"
}

// e164 formats a phone number as in Dixa's examples. It parses a national number
// with the first valid country, given as two letters of ISO 3166-1. It returns "" if
// the number cannot be parsed.
func e164(phone string, countries ...string) string {
	if strings.TrimSpace(phone) == "" {
		return ""
	}
	country := ""
	for _, named := range countries {
		if named = strings.ToUpper(strings.TrimSpace(named)); phonenumbers.GetCountryCodeForRegion(named) != 0 {
			country = named
			break
		}
	}
	n, err := phonenumbers.Parse(phone, country)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return ""
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}

// find searches Dixa for the person. If several end users match, the oldest wins, so
// that every claim finds the same one. Dixa may report no match with an empty list
// or with a 404.
func (s *session) find(ctx context.Context, who person) (string, bool, error) {
	return findEndUser(ctx, s.client, who.filters)
}

// findEndUser returns the oldest end user that the first filter with a match finds.
func findEndUser(ctx context.Context, client *dixa.Client, filters []dixa.EndUserFilter) (string, bool, error) {
	for _, filter := range filters {
		var users []*dixa.EndUser
		for u, err := range client.EndUsers.List(ctx, filter) {
			if dixa.IsNotFound(err) {
				break
			}
			if err != nil {
				return "", false, err
			}
			if matches(u, filter) {
				users = append(users, u)
			}
		}
		if len(users) > 0 {
			oldest := slices.MinFunc(users, func(a, b *dixa.EndUser) int {
				return cmp.Or(a.CreatedAt.Compare(b.CreatedAt.Time), cmp.Compare(a.ID, b.ID))
			})
			return oldest.ID, true, nil
		}
	}
	return "", false, nil
}

// matches excludes false matches, because Dixa's interpretation of a filter is
// unknown.
func matches(u *dixa.EndUser, f dixa.EndUserFilter) bool {
	switch {
	case f.Email != "":
		return strings.EqualFold(u.Email, f.Email) ||
			slices.ContainsFunc(u.AdditionalEmails, func(e string) bool { return strings.EqualFold(e, f.Email) })
	case f.ExternalID != "":
		return u.ExternalID == f.ExternalID
	default:
		return u.PhoneNumber == f.Phone || slices.Contains(u.AdditionalPhoneNumbers, f.Phone)
	}
}
