package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// OwnerUpdate is a change of a claim that its owner reports.
type OwnerUpdate struct {
	Ref claim.Ref
	// By is who reports it: an API key's name, or "karla".
	By string
	// Instruction is the id of the instruction that may result; if empty, one is
	// generated.
	Instruction string
	// Full says that the owner reports the whole claim, whatever changed in it. A
	// status that it reported before is then not a new decision.
	Full bool
	// Read derives the updated claim from the current one, see [claim.DecodeUpdate].
	// If it fails, its error is returned and nothing is written.
	Read func(current *claim.Claim) (*claim.Claim, error)
}

// UpdateFromOwner applies a change that a claim's owner reports, atomically and,
// even under concurrency, in one of two ways. Before the create of the conversation
// has begun, it edits the claim, and [Intents.BeginForRevision] refuses to send
// anything derived from an earlier revision. After that, it adds an
// [claim.InstructChange] that describes the change. It ignores a change that is
// older, by the owner's clock, than the owner's last one. A change to what the claim
// already is does nothing; this includes a status that the owner was already
// notified of. So does any change of a claim that lost its content.
func (s Claims) UpdateFromOwner(ctx context.Context, u OwnerUpdate) (claim.Updated, error) {
	var out claim.Updated
	err := s.write(ctx, "update claim "+u.Ref.String(), func(tx *sql.Tx) (err error) {
		out, err = s.updateFromOwner(ctx, tx, u)
		return err
	})
	return out, err
}

func (s *core) updateFromOwner(ctx context.Context, tx *sql.Tx, u OwnerUpdate) (claim.Updated, error) {
	row, err := lockClaim(ctx, tx, u.Ref)
	if err != nil {
		return claim.Updated{}, err
	}
	if row.erased {
		record, err := s.record(ctx, tx, u.Ref)
		return claim.Updated{Result: claim.UpdateErased, Claim: record}, err
	}
	current, err := s.latest(ctx, tx, u.Ref)
	if err != nil {
		return claim.Updated{}, err
	}
	next, err := u.Read(current)
	if err != nil {
		return claim.Updated{}, err
	}
	out := claim.Updated{Result: claim.UpdateUnchanged}
	c := ownerChange{store: s, ref: u.Ref, row: &row, current: current, next: next, by: u.By, instruction: u.Instruction}
	if err := c.read(ctx, tx, u.Full); err != nil {
		return claim.Updated{}, err
	}
	switch {
	case c.older:
		out.Result = claim.UpdateOlder
	case len(c.fields) == 0 && c.status == "":
		err = c.keep(ctx, tx, claimLatest)
	case row.state == claim.StateAbandoned:
		out.Result = claim.UpdateKept
		err = c.edit(ctx, tx)
	case c.sent:
		out.Result = claim.UpdateInstructed
		out.InstructionID, err = c.instruct(ctx, tx)
	case claim.NormalizeKey(c.status) == claim.StatusWithdrawn:
		out.Result = claim.UpdateWithdrawn
		err = c.withdraw(ctx, tx)
	default:
		out.Result = claim.UpdateEdited
		out.InstructionID, err = c.editUnopened(ctx, tx)
	}
	if err != nil {
		return claim.Updated{}, err
	}
	if !c.older {
		for _, f := range c.fields {
			out.Changed = append(out.Changed, f.Field)
		}
	}
	out.Claim, err = s.record(ctx, tx, u.Ref)
	return out, err
}

// ownerChange is a change of a claim that the caller has locked.
type ownerChange struct {
	store         *core
	ref           claim.Ref
	row           *claimRow
	current, next *claim.Claim
	by            string
	instruction   string

	// older: the owner has reported something newer.
	older bool
	// status is the new status; empty if it does not change.
	status string
	fields []claim.FieldChange
	// sent: the create of the conversation was sent and not rejected.
	sent bool
}

// read determines what changed.
func (c *ownerChange) read(ctx context.Context, tx *sql.Tx, whole bool) error {
	var told string
	var seen int64
	err := queryOne(ctx, tx, claimNotFound(c.ref), []any{&told, &seen, &c.sent}, `SELECT c.status, c.owner_updated_at,
			c.conversation_id <> 0 OR EXISTS (SELECT 1 FROM intents i WHERE i.shop = c.shop AND i.claim_id = c.id AND i.step = $3 AND (i.sent_at > 0 OR i.done_at > 0))
		FROM claims c WHERE c.shop = $1 AND c.id = $2`, c.ref.Shop, c.ref.ID, claim.StepConversation)
	if err != nil {
		return err
	}
	at := c.next.UpdatedAt
	c.older = !at.IsZero() && micros(at) < seen
	if at.IsZero() {
		c.next.UpdatedAt = c.current.UpdatedAt
	}
	said := claim.NormalizeKey(c.next.Status)
	if said != "" && said != claim.NormalizeKey(told) && (!whole || said != claim.NormalizeKey(c.current.Status)) {
		c.status = c.next.Status
	}
	// The owner's last reported status is no change by itself because the current
	// one may come from someone else.
	before, after := *c.current, *c.next
	before.Status, after.Status = "", ""
	c.fields = claim.FieldChanges(&before, &after)
	if c.status != "" {
		c.fields = append(c.fields, claim.FieldChange{Field: "status", Old: told, New: c.status})
	}
	return nil
}

// change returns the change as an instruction needs it.
func (c *ownerChange) change() claim.OwnerChange {
	out := claim.OwnerChange{
		Fields: c.fields, Status: c.status,
		Said: claim.AddedText(c.current, c.next), Added: claim.NewEvidence(c.current, c.next),
	}
	for _, cut := range c.next.Cut {
		if !slices.Contains(c.current.Cut, cut) {
			out.Cut = append(out.Cut, cut)
		}
	}
	if c.next.Preference != c.current.Preference {
		out.Preference = c.next.Preference
	}
	return out
}

// keep writes the claim to one of the body columns.
func (c *ownerChange) keep(ctx context.Context, tx *sql.Tx, column sealedColumn) error {
	sealed, err := c.store.sealJSON(column, c.next, c.ref.Shop, c.ref.ID)
	if err != nil {
		return err
	}
	n := c.next
	_, err = exec(ctx, tx, `UPDATE claims SET `+column.column+` = $3, reason = $4, reason_key = $5, flow = $6, preference = $7, phase = $8, order_number = $9,
			owner_updated_at = CASE WHEN owner_updated_at < $10 THEN $10 ELSE owner_updated_at END WHERE shop = $1 AND id = $2`,
		c.ref.Shop, c.ref.ID, sealed, plain(n.Reason), plain(n.ReasonKey()), n.FlowKey(), plain(n.Preference), plain(n.ShipmentPhase()),
		plain(n.Order.Number), micros(n.UpdatedAt))
	if err != nil {
		return err
	}
	return c.store.saveFacts(ctx, tx, n)
}

// edit changes the claim that the conversation will be opened from.
func (c *ownerChange) edit(ctx context.Context, tx *sql.Tx) error {
	if err := c.keep(ctx, tx, claimEdited); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `UPDATE claims SET latest = NULL, body_revision = body_revision + 1, revision = revision + 1, gather_until = 0, updated_at = $3
		WHERE shop = $1 AND id = $2`, c.ref.Shop, c.ref.ID, c.store.now())
	return err
}

// editUnopened edits a claim before its conversation is created. The effect of a
// status on the conversation waits until the conversation exists. A parked claim is
// retried with its new content, unless its customer was informed by other means.
func (c *ownerChange) editUnopened(ctx context.Context, tx *sql.Tx) (instruction string, err error) {
	if err := c.edit(ctx, tx); err != nil {
		return "", err
	}
	if err := c.setStatus(ctx, tx); err != nil {
		return "", err
	}
	if c.status != "" {
		of := claim.OwnerChange{Fields: c.fields[len(c.fields)-1:], Status: c.status}
		if instruction, err = c.add(ctx, tx, of); err != nil {
			return "", err
		}
	}
	if c.row.state != claim.StateNeedsAttention {
		return instruction, nil
	}
	var fallback bool
	err = queryOne(ctx, tx, claimNotFound(c.ref), []any{&fallback}, `SELECT fallback_used FROM claims WHERE shop = $1 AND id = $2`, c.ref.Shop, c.ref.ID)
	if err != nil || fallback {
		return instruction, err
	}
	return instruction, c.store.retry(ctx, tx, c.ref, c.row.state, RetryOptions{})
}

func (c *ownerChange) setStatus(ctx context.Context, tx *sql.Tx) error {
	if c.status == "" {
		return nil
	}
	_, err := c.store.change(ctx, tx, c.ref, c.row, "", ClaimUpdate{Status: c.status, StatusBy: claim.ByOwner})
	return err
}

func (c *ownerChange) withdraw(ctx context.Context, tx *sql.Tx) error {
	if err := c.keep(ctx, tx, claimEdited); err != nil {
		return err
	}
	return c.store.abandon(ctx, tx, c.ref, c.row, ClaimUpdate{Status: c.status, StatusBy: claim.ByOwner})
}

// instruct adds an instruction to carry out the change in the conversation.
func (c *ownerChange) instruct(ctx context.Context, tx *sql.Tx) (string, error) {
	if err := c.keep(ctx, tx, claimLatest); err != nil {
		return "", err
	}
	if err := c.setStatus(ctx, tx); err != nil {
		return "", err
	}
	return c.add(ctx, tx, c.change())
}

func (c *ownerChange) add(ctx context.Context, tx *sql.Tx, of claim.OwnerChange) (string, error) {
	body, err := json.Marshal(of)
	if err != nil {
		return "", err
	}
	in := claim.Instruction{Ref: c.ref, ID: c.instruction, Kind: claim.InstructChange, Body: body, By: c.by}
	if in.ID == "" {
		in.ID = uuid.NewString()
	}
	_, _, err = c.store.instruct(ctx, tx, in)
	return in.ID, err
}

// upsert applies an owner's report of a whole claim. It accepts a claim that is not
// known. created says that the report is of a new claim: the claim that was accepted
// first then counts as unchanged, whatever happened to the claim since.
func (s *core) upsert(ctx context.Context, tx *sql.Tx, u OwnerUpdate, created bool, decode func() (*claim.Claim, error)) (claim.UpdateResult, error) {
	// Check for the claim first because a partial claim cannot be accepted.
	err := claimExists(ctx, tx, u.Ref)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	fresh := errors.Is(err, ErrNotFound)
	if fresh || created {
		c, err := decode()
		switch {
		case err != nil && fresh:
			return "", err
		case err == nil:
			body, err := s.sealJSON(claimBody, c, c.Shop, c.ID)
			if err != nil {
				return "", err
			}
			accepted, err := s.accept(ctx, tx, c, body)
			if err != nil {
				return "", err
			}
			if accepted.New {
				return updateAccepted, nil
			}
			if len(accepted.Differences) == 0 && created {
				return claim.UpdateUnchanged, nil
			}
		}
	}
	out, err := s.updateFromOwner(ctx, tx, u)
	return out.Result, err
}

// updateAccepted: the claim was not known.
const updateAccepted claim.UpdateResult = "accepted"

// ShipmentUpdate says that a parcel reached a phase.
type ShipmentUpdate struct {
	// Shipment identifies the parcel, such as by its id or tracking number.
	Shipment string `json:"shipment,omitempty"`
	Phase    string `json:"phase"`
	Carrier  string `json:"carrier,omitempty"`
	Number   string `json:"tracking_number,omitempty"`
	URL      string `json:"tracking_url,omitempty"`
	// At is when the parcel reached the phase; zero if unknown.
	At time.Time `json:"at,omitzero"`

	// ID is the id of the instruction that reports it in a conversation.
	ID string `json:"-"`
	// Claims and OrderNumber say whose parcel it is: the listed claims, else those
	// of the order.
	Claims      []string `json:"-"`
	OrderNumber string   `json:"-"`
}

// maxClaimsOfShipment bounds how many claims a parcel can belong to.
const maxClaimsOfShipment = 20

// addShipmentNotes adds an instruction to report the parcel's phase in the conversations
// of its claims that are not closed, once per parcel and phase. It returns the
// number of new instructions.
func (s *core) addShipmentNotes(ctx context.Context, tx *sql.Tx, shop string, news ShipmentUpdate) (int, error) {
	var platform, own string
	err := queryOne(ctx, tx, shopNotFound(shop), []any{&platform, &own},
		`SELECT p.settings, s.settings FROM shops s CROSS JOIN platform p WHERE s.slug = $1 AND s.deleted_at = 0`, shop)
	if err != nil {
		return 0, err
	}
	settings, err := claim.Resolve(json.RawMessage(platform), json.RawMessage(own))
	if err != nil {
		return 0, err
	}
	if !slices.ContainsFunc(settings.ShipmentNotes, func(phase string) bool { return claim.NormalizeKey(phase) == claim.NormalizeKey(news.Phase) }) {
		return 0, nil
	}
	body, err := json.Marshal(news)
	if err != nil {
		return 0, err
	}
	args := arguments{shop}
	whose := `order_number = ` + args.add(plain(news.OrderNumber))
	if len(news.Claims) > 0 {
		whose = `id IN (` + placeholders(&args, news.Claims) + `)`
	} else if news.OrderNumber == "" {
		return 0, nil
	}
	var refs []claim.Ref
	states := []claim.State{claim.StateReceived, claim.StateOpening, claim.StateNeedsAttention, claim.StateOpen, claim.StatePending}
	err = queryEach(ctx, tx, func(scan func(...any) error) error {
		ref := claim.Ref{Shop: shop}
		err := scan(&ref.ID)
		refs = append(refs, ref)
		return err
	}, fmt.Sprintf(`SELECT id FROM claims WHERE shop = $1 AND %s AND state IN (%s) ORDER BY id LIMIT %d`, whose, placeholders(&args, states), maxClaimsOfShipment), args...)
	if err != nil {
		return 0, err
	}
	told := 0
	for _, ref := range refs {
		if _, err := lockClaim(ctx, tx, ref); err != nil {
			return 0, err
		}
		_, fresh, err := s.instruct(ctx, tx, claim.Instruction{Ref: ref, ID: news.ID, Kind: claim.InstructShipment, Body: body, By: ByKarla})
		var conflict *ConflictError
		if err != nil && !errors.As(err, &conflict) { // reported already, with other details
			return 0, err
		}
		if fresh {
			told++
		}
	}
	return told, nil
}

// ByKarla is the requester of instructions that Karla's webhooks cause.
const ByKarla = "karla"
