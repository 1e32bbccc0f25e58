package portal

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// What a page of a claim shows at most. The rest follows on further pages, or stands in
// the conversation.
const (
	messagesPerPage = 10
	entriesPerPage  = 30
	maxMessageText  = 4000
	maxFileName     = 200
)

// claimData is what the page of a claim shows.
type claimData struct {
	client.ClaimDetail
	// Path is the address of the claim below /portal/.
	Path    string
	Mending mending
	// Messages and Entries are newest first. The addresses are empty if there are no
	// more.
	Messages                   []shownMessage
	Newest, OlderMessages      string
	Entries                    []claim.TimelineEntry
	LaterEntries, OlderEntries string
	// Sent is the message that was sent from the page before, and SentKey the key of the
	// words about it.
	Sent    *claim.Instruction
	SentKey string
	// Fragment says that only what may have changed is shown: what follows is not set.
	Fragment bool
	Content  content
	// NoReply and NoNote are the keys of the reasons why nothing can be sent.
	NoReply, NoNote string
	// Key makes a message that is submitted twice one message.
	Key                string
	Action, Link, Send form
}

// claimRef returns the claim that the address names.
func (v *visit) claimRef() (claim.Ref, error) {
	ref := claim.Ref{Shop: v.session.Shop, ID: v.r.PathValue("claim")}
	if !claim.IsIdentifier(ref.ID) {
		return ref, errNotFound
	}
	return ref, nil
}

// claimPath returns the address of a claim below /portal/.
func claimPath(ref claim.Ref) string { return "claims/" + url.PathEscape(ref.ID) }

// claim shows a claim.
func (v *visit) claim() error { return v.showClaim(http.StatusOK, func(*claimData) {}) }

// showClaim shows the claim that the address names, with what change adds to the page.
func (v *visit) showClaim(status int, change func(*claimData)) error {
	ctx := v.r.Context()
	ref, err := v.claimRef()
	if err != nil {
		return err
	}
	d := claimData{Path: claimPath(ref), Fragment: isFragment(ctx) != nil, Key: rand.Text()}
	if d.ClaimDetail, err = v.api.Claim(ctx, ref); err != nil {
		return err
	}
	query := v.r.URL.Query()
	if err := d.addMessages(ctx, v, query); err != nil {
		return err
	}
	d.addEntries(v, query)
	if id := query.Get("sent"); id != "" {
		if sent, err := v.api.Instruction(ctx, ref, id); err == nil {
			d.Sent, d.SentKey = &sent, "claim.sent."+string(sent.State)
			if sent.State == claim.InstructionDone && !d.shows(sent) {
				d.SentKey = "claim.sent.soon"
			}
		}
	}
	if d.Mending, err = v.mendingOf(&d.Record); err != nil {
		return err
	}
	if !d.Fragment {
		stored, err := v.api.Content(ctx, ref)
		if err != nil {
			return err
		}
		d.Content = contentOf(&stored)
		if err := d.addForms(ctx, v); err != nil {
			return err
		}
	}
	change(&d)
	v.show(status, "claim", view{Title: v.words.say("claim.title", ref.ID), Live: true, Data: d})
	return nil
}

// addEntries chooses a page of the timeline.
func (d *claimData) addEntries(v *visit, query url.Values) {
	d.Timeline = withoutCommands(d.Timeline)
	for i, e := range d.Timeline {
		d.Timeline[i].By = v.personOf(e.By)
	}
	slices.Reverse(d.Timeline)
	from, err := strconv.Atoi(query.Get("entries"))
	if err != nil || from < 0 || from >= len(d.Timeline) {
		from = 0
	}
	d.Entries = d.Timeline[from:min(from+entriesPerPage, len(d.Timeline))]
	at := func(n int) string { return "/portal/" + d.Path + "?entries=" + strconv.Itoa(n) + "#timeline" }
	if from > 0 {
		d.LaterEntries = at(max(from-entriesPerPage, 0))
	}
	if from+entriesPerPage < len(d.Timeline) {
		d.OlderEntries = at(from + entriesPerPage)
	}
}

// addForms finds out whether messages can be sent.
func (d *claimData) addForms(ctx context.Context, v *visit) error {
	integration, err := v.api.Integration(ctx, v.session.Shop)
	if err != nil {
		return err
	}
	switch {
	case integration.Effective.ReadOnly:
		d.NoNote = "claim.send.readonly"
	case d.State == claim.StateAbandoned || d.State == claim.StateSkipped:
		d.NoNote = "claim.send.ended"
	}
	d.NoReply = d.NoNote
	if d.NoReply == "" && integration.Effective.DefaultAgentID == "" {
		d.NoReply = "claim.reply.agent"
	}
	return nil
}

// mending is what a person can do about a claim.
type mending struct {
	// Retry, Abandon and Link are commands. Anyway opens a conversation even if there may
	// be one.
	Retry, Anyway, Abandon, Link bool
	// RetryKey selects the words on the button.
	RetryKey string
	// Off says that the claim could be opened if Dixa were on.
	Off bool
	// Page is the page on which the cause can be mended; empty for none.
	Page claim.PortalPage
}

// mendedOn are the pages on which causes can be mended.
var mendedOn = map[claim.Cause]claim.PortalPage{
	claim.CauseConnection: claim.PageSetup, claim.CauseNoConnection: claim.PageSetup, claim.CauseContactEndpoint: claim.PageSetup,
	claim.CauseTemplate: claim.PageTemplates, claim.CauseRouting: claim.PageRules, claim.CauseAttributes: claim.PageRules,
}

func (v *visit) mendingOf(r *claim.Record) (mending, error) {
	m := mending{RetryKey: "claim.retry"}
	if page := mendedOn[r.Cause]; v.shows(page) {
		m.Page = page
	}
	if r.State == claim.StateSkipped {
		integration, err := v.api.Integration(v.r.Context(), v.session.Shop)
		if err != nil {
			return m, err
		}
		if m.Off = !integration.Enabled; m.Off && v.shows(claim.PageSetup) {
			m.Page = claim.PageSetup
		}
	}
	if !v.session.May(claim.MayOperate) {
		return m, nil
	}
	m.Abandon = r.State != claim.StateSettled && r.State != claim.StateAbandoned
	switch r.State {
	case claim.StateNeedsAttention:
		m.Retry, m.Link, m.Anyway = true, true, r.Cause == claim.CauseOutcomeUnknown
	case claim.StateSkipped:
		m.Retry, m.RetryKey = !m.Off, "claim.retry.skipped"
	case claim.StateAbandoned:
		m.Retry, m.RetryKey = true, "claim.retry.abandoned"
	}
	return m, nil
}

func (v *visit) retryClaim() error {
	return v.operate("retried", func(ref claim.Ref) error {
		_, err := v.api.Retry(v.r.Context(), ref, client.RetryRequest{CreateAnyway: v.r.PostFormValue("anyway") == "yes"})
		return err
	})
}

func (v *visit) abandonClaim() error {
	return v.operate("abandoned", func(ref claim.Ref) error {
		_, err := v.api.Abandon(v.r.Context(), ref)
		return err
	})
}

// operate carries out a command on the claim that the address names. done is the key of
// the words that confirm it.
func (v *visit) operate(done string, command func(claim.Ref) error) error {
	ref, err := v.claimRef()
	if err != nil {
		return err
	}
	if err := command(ref); err != nil {
		return v.refusedForm(err, nil, func(f form) error {
			if client.HasCode(err, client.CodeConflict) { // the claim has moved on since the page was shown
				f.Summary = v.words.say("claim.conflict")
			}
			return v.showClaim(http.StatusConflict, func(d *claimData) { d.Action = f })
		})
	}
	return v.done(claimPath(ref), done)
}

func (v *visit) linkClaim() error {
	ref, err := v.claimRef()
	if err != nil {
		return err
	}
	const field = "conversation_id"
	number, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(v.r.PostFormValue(field)), "#"), 10, 64)
	if err != nil || number <= 0 {
		return v.showClaim(http.StatusUnprocessableEntity, func(d *claimData) {
			d.Link = v.faultyForm(field, "claim.link.number")
		})
	}
	if _, err := v.api.Link(v.r.Context(), ref, number); err != nil {
		return v.refusedForm(err, []string{field}, func(f form) error {
			switch {
			case f.Faults[field] != "":
				f.Faults[field] = v.words.say("claim.link.unknown")
			case client.HasCode(err, client.CodeConflict):
				f.Summary = v.words.say("claim.link.conflict")
			}
			return v.showClaim(http.StatusUnprocessableEntity, func(d *claimData) { d.Link = f })
		})
	}
	return v.done(claimPath(ref), "linked")
}

// faultyForm is the form as typed, with a fault at one field.
func (v *visit) faultyForm(field, key string) form {
	return form{Values: map[string]string{field: v.r.PostFormValue(field)}, Faults: map[string]string{field: v.words.say(key)}}
}
