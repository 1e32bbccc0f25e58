package workflows

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/claim"
)

// The typed keys of the search attributes. See [claim.SearchAttributes].
var (
	keyShop         = temporal.NewSearchAttributeKeyKeyword(claim.AttributeShop)
	keyID           = temporal.NewSearchAttributeKeyKeyword(claim.AttributeID)
	keyReason       = temporal.NewSearchAttributeKeyKeyword(claim.AttributeReason)
	keyOrder        = temporal.NewSearchAttributeKeyKeyword(claim.AttributeOrder)
	keyState        = temporal.NewSearchAttributeKeyKeyword(claim.AttributeState)
	keyCause        = temporal.NewSearchAttributeKeyKeyword(claim.AttributeCause)
	keyConversation = temporal.NewSearchAttributeKeyKeyword(claim.AttributeConversation)
)

// attributes are the search attributes that change while a claim lives.
type attributes struct {
	state        claim.State
	cause        claim.Cause
	conversation int64
}

// startState is the state with which a workflow starts. A claim that opens without
// problems then changes its attributes only once.
const startState = claim.StateOpening

// attributesOf reads the attributes with which a run started. A workflow that
// continues as new carries over the attributes of the previous run.
func attributesOf(set temporal.SearchAttributes) attributes {
	shown := attributes{state: startState}
	if state, ok := set.GetKeyword(keyState); ok {
		shown.state = claim.State(state)
	}
	if cause, ok := set.GetKeyword(keyCause); ok {
		shown.cause = claim.Cause(cause)
	}
	if id, ok := set.GetKeyword(keyConversation); ok {
		shown.conversation, _ = strconv.ParseInt(id, 10, 64) // zero causes a rewrite
	}
	return shown
}

// StartAttributes are the search attributes with which the workflow of a claim
// starts.
func StartAttributes(ref claim.Ref, reason, orderNumber string) temporal.SearchAttributes {
	set := []temporal.SearchAttributeUpdate{
		keyShop.ValueSet(ref.Shop),
		keyID.ValueSet(ref.ID),
		keyReason.ValueSet(claim.NormalizeKey(reason)),
		keyState.ValueSet(string(startState)),
	}
	if orderNumber != "" {
		set = append(set, keyOrder.ValueSet(orderNumber))
	}
	return temporal.NewSearchAttributes(set...)
}

// Summary is the sentence that identifies a claim's workflow to people in a list.
func Summary(ref claim.Ref, reason, orderNumber string) string {
	words := strings.ReplaceAll(claim.NormalizeKey(reason), "_", " ")
	if orderNumber == "" {
		return fmt.Sprintf("%s: claim %s (%s)", ref.Shop, ref.ID, words)
	}
	return fmt.Sprintf("%s: %s claim %s on order %s", ref.Shop, words, ref.ID, orderNumber)
}

// updateVisibility updates the search attributes and the card in the Temporal UI to the claim's
// state.
func (r *claimRun) updateVisibility(ctx workflow.Context) {
	now := attributes{state: r.state.State, cause: r.state.Cause, conversation: r.state.ConversationID}
	if now.state != claim.StateNeedsAttention {
		now.cause = ""
	}
	// An opening claim changes again within seconds, and each update costs an event
	// and an index write. Update it at once only to clear needs_attention, which
	// people search for.
	settling := now.state == claim.StateOpening && r.shown.state != claim.StateNeedsAttention
	if !settling && now != r.shown {
		set := []temporal.SearchAttributeUpdate{keyState.ValueSet(string(now.state))}
		if now.cause != r.shown.cause {
			set = append(set, causeUpdate(now.cause))
		}
		if now.conversation != r.shown.conversation {
			set = append(set, keyConversation.ValueSet(strconv.FormatInt(now.conversation, 10)))
		}
		if err := workflow.UpsertTypedSearchAttributes(ctx, set...); err != nil {
			workflow.GetLogger(ctx).Error("could not upsert the search attributes", "error", err)
		}
		r.shown = now
	}
	workflow.SetCurrentDetails(ctx, r.currentDetails())
}

func causeUpdate(cause claim.Cause) temporal.SearchAttributeUpdate {
	if cause == "" {
		return keyCause.ValueUnset()
	}
	return keyCause.ValueSet(string(cause))
}

// currentDetails returns the live status card, in Markdown.
func (r *claimRun) currentDetails() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", strings.ReplaceAll(string(r.state.State), "_", " "))
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "- **%s:** %s\n", name, value)
		}
	}
	if r.state.ConversationID != 0 {
		line("Conversation in Dixa", strconv.FormatInt(r.state.ConversationID, 10))
	}
	line("Reference", r.ref.Reference())
	line("Status", r.state.Status)
	line("Agent", r.state.AssigneeID)
	line("Queue", r.state.QueueID)
	line("Template", r.resolved.Template)
	line("Route", r.resolved.Route)
	if r.attached > 0 || r.leftOut > 0 {
		line("Files", fmt.Sprintf("%d attached, %d omitted", r.attached, r.leftOut))
	}
	line("Waiting for", r.waitingFor())
	if share := r.state.TokenShare; share != nil {
		line("Dixa's request limit", share.String())
	}
	if r.state.FallbackUsed {
		line("Fallback", "triggered")
	}
	if r.state.State == claim.StateNeedsAttention {
		line("Cause", string(r.state.Cause))
		line("What to do", r.state.Cause.Advice())
	}
	lastError := "Last error"
	switch r.state.State {
	case claim.StateOpen, claim.StatePending, claim.StateClosed, claim.StateSettled:
		lastError = "Last error (resolved)"
	}
	line(lastError, r.state.LastError)
	if len(r.state.Recent) > 0 {
		b.WriteString("\n#### In Dixa\n\n")
		for _, m := range r.state.Recent {
			fmt.Fprintf(&b, "- %s %s\n", m.At.UTC().Format(time.DateTime), m.What)
		}
	}
	return b.String()
}
