package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

// Erasures holds the steps of an erasure that call Dixa. Each can be repeated.
type Erasures struct {
	Store   *store.Store
	Clients *connection.Clients
}

// ErasureRef identifies an erasure. It does not say who the customer is.
type ErasureRef struct {
	Shop string `json:"shop"`
	ID   string `json:"erasure_id"`
}

// erasureRun is what a step of an erasure needs.
type erasureRun struct {
	store   *store.Store
	erasure claim.Erasure
	person  store.ErasurePerson
	// country is the default country of the shop's phone numbers.
	country string
	// client is nil if Dixa is left out.
	client *dixa.Client
}

func loadErasure(ctx context.Context, s *store.Store, ref ErasureRef) (*erasureRun, claim.Settings, error) {
	r := &erasureRun{store: s}
	var err error
	if r.erasure, err = s.Erasures.Get(ctx, ref.Shop, ref.ID); err != nil {
		return nil, claim.Settings{}, err
	}
	if r.person, err = s.Erasures.Person(ctx, ref.ID); err != nil {
		return nil, claim.Settings{}, err
	}
	settings := claim.DefaultSettings()
	in, err := s.Settings.Integration(ctx, ref.Shop)
	switch {
	case errors.Is(err, store.ErrNotFound): // the shop is deleted
		err = nil
	case err == nil:
		settings = in.Effective
	}
	r.country = settings.DefaultCountry
	return r, settings, err
}

// withDixa runs a step with a client of the shop's Dixa. If the shop has none or may not
// write to it, the step does not run, and the report says so.
func (a *Erasures) withDixa(ctx context.Context, ref ErasureRef, doing string, step func(context.Context, *erasureRun) error) error {
	stop := heartbeat(ctx, alive)
	defer stop()
	r, settings, err := loadErasure(ctx, a.Store, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it ended
	}
	if err != nil {
		return toTemporal(doing, err)
	}
	switch {
	case r.person.ConnectionID == "":
		err = a.Store.Erasures.Note(ctx, ref.ID, "Dixa was not asked: the shop has no connection")
		return toTemporal(doing, err)
	case settings.ReadOnly:
		err = a.Store.Erasures.Note(ctx, ref.ID, "Dixa was not asked: the shop is read-only; anonymize the end user in Dixa")
		return toTemporal(doing, err)
	}
	ctx = connection.WithRedaction(ctx, func() map[string]bool { return connection.WordSet(r.person.Words...) })
	if r.client, err = a.Clients.For(ctx, r.person.ConnectionID, settings); err == nil {
		err = step(ctx, r)
	}
	if dixa.IsTokenRefused(err) {
		if _, markErr := a.Clients.TokenRefused(ctx, r.person.ConnectionID, r.client); markErr != nil {
			return toTemporal(doing, markErr)
		}
		err = parked(claim.CauseConnection, err.Error())
	}
	return toTemporal(doing, err)
}

// FindErasureEndUsers finds the customer's end users in Dixa.
func (a *Erasures) FindErasureEndUsers(ctx context.Context, ref ErasureRef) error {
	if err := a.Store.Erasures.Step(ctx, ref.ID, claim.ErasureFind); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return toTemporal("begin the erasure", err)
	}
	return a.withDixa(ctx, ref, "find the customer in Dixa", func(ctx context.Context, r *erasureRun) error {
		users, err := r.findEndUsers(ctx)
		if err != nil {
			return err
		}
		var subjects []store.ErasureSubject
		var words []string
		for _, u := range users {
			subjects = append(subjects, r.endUser(u.ID))
			words = append(words, wordsOf(u)...)
		}
		return a.Store.Erasures.Found(ctx, ref.ID, subjects, words)
	})
}

// endUser returns the subject of an end user of the shop's Dixa.
func (r *erasureRun) endUser(id string) store.ErasureSubject {
	return store.ErasureSubject{Kind: store.SubjectEndUser, ConnectionID: r.person.ConnectionID, ID: id}
}

// findEndUsers returns all end users that the request matches.
func (r *erasureRun) findEndUsers(ctx context.Context) ([]*dixa.EndUser, error) {
	if id := strings.TrimSpace(r.person.EndUserID); id != "" {
		u, err := r.client.EndUsers.Get(ctx, id)
		if dixa.IsNotFound(err) {
			return nil, nil
		}
		return []*dixa.EndUser{u}, err
	}
	var found []*dixa.EndUser
	for _, filter := range r.filters() {
		for u, err := range r.client.EndUsers.List(ctx, filter) {
			if dixa.IsNotFound(err) {
				break
			}
			if err != nil {
				return nil, err
			}
			if matches(u, filter) {
				found = append(found, u)
			}
		}
	}
	return found, nil
}

func (r *erasureRun) filters() []dixa.EndUserFilter {
	var filters []dixa.EndUserFilter
	by, value, _ := r.person.By()
	switch by {
	case "email":
		for _, spelling := range distinct(value, strings.ToLower(value)) {
			filters = append(filters, dixa.EndUserFilter{Email: spelling})
		}
	case "phone":
		for _, spelling := range distinct(e164(value, r.country), value) {
			filters = append(filters, dixa.EndUserFilter{Phone: spelling})
		}
	case "external_id":
		filters = append(filters, dixa.EndUserFilter{ExternalID: value})
	}
	return filters
}

// distinct returns the values that are not empty, once each.
func distinct(values ...string) []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, v := range values {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// wordsOf returns what identifies an end user, in lower case.
func wordsOf(u *dixa.EndUser) []string {
	words := append([]string{u.Email, u.PhoneNumber, u.ExternalID}, append(u.AdditionalEmails, u.AdditionalPhoneNumbers...)...)
	for i := range words {
		words[i] = strings.ToLower(words[i])
	}
	return distinct(words...)
}

// AnonymizeProgress says how far Dixa is.
type AnonymizeProgress struct {
	// Left is the number of end users that Dixa has not anonymized yet.
	Left int `json:"left,omitempty"`
}

// AnonymizeEndUsers requests the anonymization of each end user of an erasure and reads
// how far Dixa is, once. If it is not known whether a request arrived, Dixa is asked
// again: a second request does no harm.
func (a *Erasures) AnonymizeEndUsers(ctx context.Context, ref ErasureRef) (AnonymizeProgress, error) {
	var progress AnonymizeProgress
	err := a.withDixa(ctx, ref, "anonymize the customer in Dixa", func(ctx context.Context, r *erasureRun) error {
		progress.Left = 0
		users, err := a.Store.Erasures.Subjects(ctx, ref.ID, store.SubjectEndUser, false)
		if err != nil {
			return err
		}
		for _, u := range users {
			if u.Result != "" || u.ConnectionID != r.person.ConnectionID {
				continue
			}
			before := u
			err := r.anonymize(ctx, &u)
			if u != before {
				err = errors.Join(err, a.Store.Erasures.Answered(context.WithoutCancel(ctx), ref.ID, u))
			}
			if err != nil {
				return err
			}
			if u.Result == "" {
				progress.Left++
			}
		}
		return nil
	})
	return progress, err
}

// anonymize takes one end user a step further.
func (r *erasureRun) anonymize(ctx context.Context, u *store.ErasureSubject) error {
	if u.RequestID == "" {
		return r.requestAnonymization(ctx, u)
	}
	request, err := r.client.Anonymization.Get(ctx, u.RequestID)
	switch {
	case err == nil && request.ProcessedAt.IsZero():
		return nil
	case err == nil:
		return r.answer(ctx, u, claim.AnswerUnchanged, "Dixa has processed the request, but shows the end user's data")
	case dixa.IsNotFound(err):
		u.RequestID = "" // requested anew next time, unless the end user is anonymized
		return r.answer(ctx, u, "", "")
	case refusedForGood(err):
		// The token may not read requests, but the end user shows the result.
		return r.answer(ctx, u, "", "")
	}
	return err
}

func (r *erasureRun) requestAnonymization(ctx context.Context, u *store.ErasureSubject) error {
	request, err := r.client.EndUsers.Anonymize(ctx, u.ID, true)
	switch {
	case err == nil:
		u.RequestID = request.ID
		return nil
	case dixa.IsNotFound(err):
		u.Result = claim.AnswerNotFound
		return nil
	case dixa.IsConflict(err):
		// Another request is in progress or has ended. Dixa does not name it.
		return r.answer(ctx, u, "", "")
	case refusedForGood(err):
		e, _ := dixa.AsError(err)
		u.Result, u.Detail = claim.AnswerRefused, fmt.Sprintf("status %d: %s", e.Status, e.Message)
		return nil
	}
	return err
}

// refusedForGood reports whether Dixa refused a request that will never succeed.
func refusedForGood(err error) bool {
	e, ok := dixa.AsError(err)
	return ok && e.Outcome == dixa.Rejected && !e.Retryable && !dixa.IsTokenRefused(err)
}

// answer looks at the end user. If Dixa no longer shows what identified the customer,
// the end user is anonymized; otherwise the result is the given one.
func (r *erasureRun) answer(ctx context.Context, u *store.ErasureSubject, otherwise, detail string) error {
	switch user, err := r.client.EndUsers.Get(ctx, u.ID); {
	case dixa.IsNotFound(err), err == nil && !r.identifies(user):
		u.Result = claim.AnswerAnonymized
	case err != nil:
		return err
	default:
		u.Result, u.Detail = otherwise, detail
	}
	return nil
}

// identifies reports whether an end user still has something that identified the
// customer.
func (r *erasureRun) identifies(u *dixa.EndUser) bool {
	known := map[string]bool{}
	for _, word := range r.person.Words {
		known[word] = true
	}
	for _, word := range wordsOf(u) {
		if known[word] {
			return true
		}
	}
	return false
}
