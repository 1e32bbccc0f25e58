package activities

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
	"github.com/claimflow/claimflow/store"
)

const (
	// maxChanges bounds how many changes of a claim may write what the rules want to
	// Dixa within changesWithin. Rules that contradict each other would otherwise
	// loop forever.
	maxChanges    = 10
	changesWithin = time.Hour
	// tagTimeout is how long to check for added tags, and tagsLook the delay between
	// two checks. Dixa applies tags after it has answered.
	tagTimeout      = time.Minute
	tagPollInterval = 2 * time.Second
)

// changed is the result of a change, without personal data.
type changed struct {
	// Done are the parts that were written to Dixa.
	Done []string `json:"done,omitempty"`
	// Left are the wanted parts that were not done, with the reason.
	Left []string `json:"left,omitempty"`
}

// applyOwnerChange applies the shop's rules for a change by the claim's owner to the
// conversation. It always writes what the customer newly said, regardless of the
// rules. Everything else is a desired state: it reads the conversation first and
// leaves alone what already matches.
func applyOwnerChange(ctx context.Context, s *session, in claim.Instruction) (outcome, error) {
	c := changeRun{session: s, in: in}
	if err := json.Unmarshal(in.Body, &c.change); err != nil {
		return outcome{}, refusal{"the stored change cannot be decoded"}
	}
	decision, err := decideOnce(ctx, s, in, c.decide)
	if err != nil {
		return outcome{}, err
	}
	c.desired = decision.Wanted
	if err := c.execute(ctx); err != nil {
		return outcome{}, err
	}
	out, err := c.outcome(ctx)
	if err == nil && decision.Over {
		out.set.Outbox = []store.OutboxEvent{{ID: "conflict:changes", Type: claim.OutboundStatusConflict}}
		err = refusal{fmt.Sprintf("%d changes within an hour already wrote to the conversation, so the shop's rules and the claim's owner contradict each other; correct the rules, then change the claim again", maxChanges)}
	}
	out.set.Timeline = append(out.set.Timeline, c.timelineEntry(err))
	return out, err
}

// changeDecision is the result of applying the rules of the first attempt to a
// change.
type changeDecision struct {
	Wanted claim.DesiredState `json:"wanted"`
	// Over says that too many recent changes wrote to Dixa, so that the rules do not
	// apply to this one.
	Over bool `json:"over,omitempty"`
}

func (c *changeRun) decide(ctx context.Context) (changeDecision, error) {
	written, err := c.store.Instructions.ChangesWritten(ctx, c.ref, time.Now().Add(-changesWithin))
	if err != nil || written >= maxChanges {
		return changeDecision{Over: true}, err
	}
	return changeDecision{Wanted: c.settings.EvaluateChange(&c.change)}, nil
}

// changeRun carries out one change.
type changeRun struct {
	*session
	in      claim.Instruction
	change  claim.OwnerChange
	desired claim.DesiredState

	// found is the conversation before anything was written. Nil if nothing needed
	// it.
	found *dixa.Conversation
	tags  []string // nil if not requested
	files evidenceDraft
	done  changed
	// wrote says that something that the rules want was written.
	wrote bool
}

func (c *changeRun) execute(ctx context.Context) error {
	message := c.change.Said != "" || c.change.Added != nil
	w := c.desired
	if message || w.Close || w.Reopen || w.FollowUp > 0 || w.QueueID != "" || w.AgentID != "" {
		found, err := c.client.Conversations.Get(ctx, c.work.ConversationID)
		if err != nil {
			return err
		}
		c.found = found
	}
	// A message from the customer reopens a closed conversation, as an email would,
	// regardless of how Dixa treats a message sent through its API.
	if (message || w.Reopen) && c.found.State == dixa.StateClosed {
		if err := c.reopen(ctx); err != nil {
			return err
		}
	}
	if message {
		if err := c.sendMessage(ctx); err != nil {
			return err
		}
	}
	if w.Note || len(c.files.leftOut()) > 0 || c.files.missing() != "" || len(c.change.Cut) > 0 {
		sign := fmt.Sprintf("Claimflow %s (change %d)", c.ref.Reference(), c.in.Number)
		if _, err := c.addNote(ctx, c.in.Step("note"), sign, noteText(noteOfChange(c.change, c.in.By), c.files, sign)); err != nil {
			return err
		}
		c.recordDone("note", w.Note)
	}
	if err := c.tag(ctx); err != nil {
		return err
	}
	if err := c.assign(ctx); err != nil {
		return err
	}
	return c.applyState(ctx)
}

// recordDone records that a part was written and whether the rules wanted it.
func (c *changeRun) recordDone(part string, rules bool) {
	c.done.Done = append(c.done.Done, part)
	c.wrote = c.wrote || rules
}

func (c *changeRun) recordSkipped(part, why string) { c.done.Left = append(c.done.Left, part+": "+why) }

// doneAt returns when a part of the instruction was written. Zero if it was not.
func (c *changeRun) doneAt(ctx context.Context, part string) (time.Time, error) {
	intent, err := c.store.Intents.Get(ctx, c.ref, c.in.Step(part))
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil
	}
	return intent.DoneAt, err
}

// runOnce writes a part that is safe to send twice, unless it is already written.
func (c *changeRun) runOnce(ctx context.Context, part string, send func() error) error {
	done, err := c.doneAt(ctx, part)
	if err != nil || !done.IsZero() {
		c.recordDone(part, true)
		return err
	}
	if err := send(); err != nil {
		return err
	}
	if err := c.store.Intents.Finish(ctx, c.ref, c.in.Step(part), nil); err != nil {
		return fmt.Errorf("record %s as done: %w", part, err)
	}
	c.recordDone(part, true)
	return nil
}

// reopen reopens the conversation. Someone may have done so since it was read.
func (c *changeRun) reopen(ctx context.Context) error {
	return c.runOnce(ctx, "reopen", func() error {
		return c.ignoreIfAlready(ctx, c.client.Conversations.Reopen(ctx, c.work.ConversationID, ""),
			func(now *dixa.Conversation) bool { return now.State != dixa.StateClosed })
	})
}

// ignoreIfAlready returns nil for a refusal if the wanted state already holds. Dixa does not
// document how it answers such a request.
func (c *changeRun) ignoreIfAlready(ctx context.Context, err error, so func(*dixa.Conversation) bool) error {
	if e, ok := dixa.AsError(err); !ok || e.Outcome != dixa.Rejected || e.Retryable {
		return err
	}
	now, getErr := c.client.Conversations.Get(ctx, c.work.ConversationID)
	if getErr == nil && so(now) {
		return nil
	}
	return err
}

// tag removes and adds tags. Added tags appear some time after Dixa's answer. Until
// then the shop's status rules wait.
func (c *changeRun) tag(ctx context.Context) error {
	if len(c.desired.AddTags)+len(c.desired.RemoveTags) == 0 {
		return nil
	}
	listed, err := c.client.Conversations.Tags(ctx, c.work.ConversationID)
	if err != nil {
		return err
	}
	has := func(name string) bool {
		return slices.ContainsFunc(c.tags, func(t string) bool { return strings.EqualFold(t, name) })
	}
	c.tags = []string{}
	for _, t := range listed {
		if !slices.ContainsFunc(c.desired.RemoveTags, func(name string) bool { return strings.EqualFold(t.Name, name) }) {
			c.tags = append(c.tags, t.Name)
			continue
		}
		err := c.runOnce(ctx, "untag:"+t.ID, func() error { return c.client.Conversations.RemoveTag(ctx, c.work.ConversationID, t.ID) })
		if err != nil && !dixa.IsNotFound(err) {
			return err
		}
	}
	missing := slices.DeleteFunc(slices.Clone(c.desired.AddTags), has)
	inactive, err := inactive(ctx, c.store, c.work.ConnectionID, missing)
	if err != nil {
		return err
	}
	if len(inactive) > 0 {
		c.recordSkipped("tags", strings.Join(inactive, ", ")+": deactivated in Dixa")
		missing = slices.DeleteFunc(missing, func(tag string) bool { return slices.Contains(inactive, tag) })
	}
	sent, err := c.doneAt(ctx, "tags")
	if err != nil {
		return err
	}
	switch {
	case len(missing) == 0:
		if !sent.IsZero() {
			c.recordDone("tags", true)
		}
		return nil
	case sent.IsZero():
		var refused []string
		err := c.runOnce(ctx, "tags", func() (err error) {
			refused, err = c.addTags(ctx, missing)
			return err
		})
		if err != nil {
			return err
		}
		if len(refused) == len(missing) {
			c.recordSkipped("tags", strings.Join(refused, ", ")+": rejected by Dixa")
			return nil
		}
	case time.Since(sent) > tagTimeout:
		c.recordDone("tags", true)
		c.recordSkipped("tags", "not visible in Dixa a minute after Dixa accepted them")
		return nil
	}
	return retryable(claim.ErrorBusy, "Dixa has not applied the tags yet", nil, tagPollInterval)
}

// assign assigns the conversation to the wanted agent or queue.
func (c *changeRun) assign(ctx context.Context) error {
	w := c.desired
	if w.QueueID == "" && w.AgentID == "" {
		return nil
	}
	if c.found.State == dixa.StateClosed && !slices.Contains(c.done.Done, "reopen") {
		c.recordSkipped("assign", "the conversation is closed")
		return nil
	}
	if w.AgentID != "" {
		if c.found.Assignment != nil && strings.EqualFold(c.found.Assignment.AgentID, w.AgentID) {
			return nil
		}
		return c.runOnce(ctx, "assign", func() error { return c.client.Conversations.Claim(ctx, c.work.ConversationID, w.AgentID, true) })
	}
	if c.found.Assignment == nil && c.found.Queue != nil && strings.EqualFold(c.found.Queue.ID, w.QueueID) {
		return nil
	}
	return c.runOnce(ctx, "assign", func() error { return c.client.Conversations.TransferToQueue(ctx, c.work.ConversationID, w.QueueID, "") })
}

// applyState closes the conversation or sets it to follow up later.
func (c *changeRun) applyState(ctx context.Context) error {
	w := c.desired
	reopened := slices.Contains(c.done.Done, "reopen")
	switch {
	case w.Close && (c.found.State != dixa.StateClosed || reopened):
		return c.runOnce(ctx, "close", func() error {
			return c.ignoreIfAlready(ctx, c.client.Conversations.Close(ctx, c.work.ConversationID, ""),
				func(now *dixa.Conversation) bool { return now.State == dixa.StateClosed })
		})
	case w.FollowUp > 0:
		until := c.in.CreatedAt.Add(w.FollowUp)
		if !until.After(time.Now()) {
			c.recordSkipped("follow_up", "its time has passed")
			return nil
		}
		if c.found.State == dixa.StateClosed && !reopened {
			c.recordSkipped("follow_up", "the conversation is closed")
			return nil
		}
		return c.runOnce(ctx, "follow_up", func() error {
			return c.client.Conversations.FollowUp(ctx, c.work.ConversationID, dixa.Time{Time: until}, "")
		})
	}
	return nil
}

// outcome asks Dixa for the current conversation and evaluates the status rules on
// it. The effects of our own writes are no news to an owner who set the status that
// they carry out. Everything else is, and the rules are evaluated once more.
func (c *changeRun) outcome(ctx context.Context) (outcome, error) {
	out := outcome{result: c.done, set: store.ClaimUpdate{RulesDue: true}, wrote: c.wrote}
	if !c.wroteState() {
		return out, nil
	}
	// Read this before asking Dixa: everything known by then has already happened.
	known, err := c.store.Conversations.Get(ctx, c.ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return out, err
	}
	now, err := c.client.Conversations.Get(ctx, c.work.ConversationID)
	if err != nil {
		return out, err
	}
	tags := c.tags
	if tags != nil {
		if tags, err = c.currentTags(ctx); err != nil {
			return out, err
		}
	}
	fact := factOf(c.in.Step(""), known, now, tags)
	out.set.Fact = &fact
	// If a concurrent change by someone else leads to the same decision as ours,
	// the two cannot be distinguished. That decision is the one that the owner wanted.
	before, after := known, known
	after.Apply(fact)
	was := fold.Evaluate(c.work.State, before, c.settings)
	if is := fold.Evaluate(c.work.State, after, c.settings); is != was && c.change.Status != "" {
		out.set.DerivedStatus = is
	}
	return out, nil
}

// wroteState reports whether anything besides messages and notes was written.
func (c *changeRun) wroteState() bool {
	return slices.ContainsFunc(c.done.Done, func(part string) bool { return part != "note" && part != "message" })
}

// timelineEntry returns the timeline entry of the change.
func (c *changeRun) timelineEntry(err error) store.TimelineEntry {
	e := claim.TimelineEntry{At: time.Now().UTC(), What: "owner's change applied", By: c.in.By, Detail: strings.Join(c.done.Done, ", ")}
	if len(c.done.Left) > 0 {
		e.Detail = strings.TrimPrefix(e.Detail+"; skipped: "+strings.Join(c.done.Left, "; "), "; ")
	}
	if err != nil {
		e.What, e.Detail = "owner's change refused", err.Error()
	}
	return store.TimelineEntry{ID: c.in.Step(""), TimelineEntry: e}
}

// noteOfChange tells agents what changed, in plain words.
func noteOfChange(c claim.OwnerChange, by string) string {
	var b strings.Builder
	b.WriteString("The claim was changed by " + cmp.Or(by, "its owner") + ":\n")
	for _, f := range c.Fields {
		fmt.Fprintf(&b, "- %s: %s → %s\n", fieldInWords(f.Field), cmp.Or(f.Old, "(nothing)"), cmp.Or(f.New, "(nothing)"))
	}
	if len(c.Cut) > 0 {
		b.WriteString(describeTruncations(c.Cut) + "\n")
	}
	return b.String()
}

// fieldInWords returns a field's name in readable form.
func fieldInWords(path string) string {
	return strings.NewReplacer("_", " ", ".", " ", "selected items", "items").Replace(path)
}

// writeShipmentNote writes a note about the status of one of the claim's parcels.
func writeShipmentNote(ctx context.Context, s *session, in claim.Instruction) (outcome, error) {
	var news store.ShipmentUpdate
	if err := json.Unmarshal(in.Body, &news); err != nil {
		return outcome{}, refusal{"the stored shipment update cannot be decoded"}
	}
	sign := fmt.Sprintf("Claimflow %s (shipment %d)", s.ref.Reference(), in.Number)
	parcel := strings.Join(slices.DeleteFunc([]string{news.Carrier, cmp.Or(news.Number, news.Shipment)}, func(p string) bool { return p == "" }), " ")
	text := "Status of the parcel"
	if parcel != "" {
		text += " " + clip(parcel, maxNotedFile)
	}
	text += ": " + clip(strings.ReplaceAll(news.Phase, "_", " "), maxNotedFile)
	if !news.At.IsZero() {
		text += ", since " + news.At.UTC().Format("2006-01-02 15:04 UTC")
	}
	if news.URL != "" {
		text += "\n" + notedURL(news.URL)
	}
	if _, err := s.addNote(ctx, in.Step("note"), sign, text+"\n\n"+sign); err != nil {
		return outcome{}, err
	}
	return outcome{}, nil
}
