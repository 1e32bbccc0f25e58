package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

const (
	defaultPage = 50
	maxPage     = 500
)

// ClaimFilter selects the claims to list. Zero members do not filter.
type ClaimFilter struct {
	Shop   string
	States []claim.State
	Cause  claim.Cause
	// Reason matches in any spelling, see [claim.NormalizeKey].
	Reason      string
	OrderNumber string
	// ConversationIDs selects the claims of these conversations.
	ConversationIDs []int64
	// Phase and Carrier match in any spelling. Carrier is that of the first shipment that
	// has one.
	Phase, Carrier string
	// Search needs a Shop. It matches a claim's id or order number, with or without a
	// leading "#", and all claims of the customer whose email address it is. A customer
	// without an address is found by phone number or external id. Spaces around it do not
	// count.
	Search string
	// Since (inclusive) and Until (exclusive) bound the time when the claim was
	// accepted.
	Since, Until time.Time
	// Limit is the maximum number of claims. Defaults to 50; at most 500.
	Limit int
	// Cursor continues an earlier list from where it ended.
	Cursor string
}

// List lists claims, newest first, without their other claims. next is the cursor of
// the next page, empty on the last page. Claims that arrive between pages cause no
// duplicates or gaps. It returns a [*claim.InvalidError] for an invalid cursor.
func (s Claims) List(ctx context.Context, f ClaimFilter) (records []claim.Record, next string, err error) {
	var args arguments
	var where []string
	tables := recordTables
	equals := func(column string, v any, given bool) {
		if given {
			where = append(where, column+" = "+args.add(v))
		}
	}
	equals("c.shop", f.Shop, f.Shop != "")
	if f.Cause != "" && len(f.States) == 0 { // only parked claims have a cause
		f.States = []claim.State{claim.StateNeedsAttention}
	}
	equals("c.cause", f.Cause, f.Cause != "")
	equals("c.reason_key", claim.NormalizeKey(f.Reason), f.Reason != "")
	equals("c.order_number", plain(f.OrderNumber), f.OrderNumber != "")
	if len(f.ConversationIDs) > 0 {
		where = append(where, "c.conversation_id IN ("+s.dialect.integers(&args, f.ConversationIDs)+")")
	}
	equals("c.phase_key", claim.NormalizeKey(f.Phase), f.Phase != "")
	equals("c.carrier_key", claim.NormalizeKey(f.Carrier), f.Carrier != "")
	if f.Search != "" {
		// The union, of parts without common rows, lets every database use the index of
		// each column. The cross join makes SQLite begin with it.
		bare := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(f.Search), "#"))
		numbers := []string{plain("#" + bare)}
		if bare != "" { // else those without a number would be found
			numbers = append(numbers, plain(bare))
		}
		shop, texts := args.add(f.Shop), "("+placeholders(&args, numbers)+")"
		of := "SELECT id FROM claims WHERE shop = " + shop + " AND "
		tables = "(" + of + "id IN " + texts +
			" UNION ALL " + of + "order_number IN " + texts + " AND id NOT IN " + texts +
			" UNION ALL " + of + "customer = " + args.add(s.claimant(f.Shop, f.Search)) + " AND order_number NOT IN " + texts + " AND id NOT IN " + texts +
			") found CROSS JOIN " + recordTables
		where = append(where, "c.shop = "+shop, "c.id = found.id")
	}
	switch len(f.States) {
	case 0:
	case 1:
		equals("c.state", f.States[0], true)
	default:
		where = append(where, "c.state IN ("+placeholders(&args, f.States)+")")
	}
	if !f.Since.IsZero() {
		where = append(where, "c.accepted_at >= "+args.add(micros(f.Since)))
	}
	if !f.Until.IsZero() {
		where = append(where, "c.accepted_at < "+args.add(micros(f.Until)))
	}
	if f.Cursor != "" {
		at, ref, err := parseCursor(f.Cursor)
		if err != nil {
			return nil, "", err
		}
		where = append(where, "(c.accepted_at, c.shop, c.id) < ("+args.add(at)+", "+args.add(ref.Shop)+", "+args.add(ref.ID)+")")
	}
	query := `SELECT ` + recordColumns + ` FROM ` + tables
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	limit := pageSize(f.Limit)
	query += ` ORDER BY c.accepted_at DESC, c.shop DESC, c.id DESC LIMIT ` + args.add(limit+1)

	records, err = list(ctx, s.core, "list claims", func(scan func(...any) error) (claim.Record, error) { return scanRecord(scan) }, query, args...)
	if err != nil {
		return nil, "", err
	}
	records, next = page(records, limit, func(r claim.Record) string { return cursor(micros(r.AcceptedAt), r.Ref) })
	return records, next, nil
}

// Opened returns those of the given claims that are no longer received or opening,
// and those that do not exist.
func (s Claims) Opened(ctx context.Context, refs []claim.Ref) ([]claim.Ref, error) {
	var args arguments
	pairs := make([]string, len(refs))
	for i, ref := range refs {
		pairs[i] = "(" + args.add(ref.Shop) + ", " + args.add(ref.ID) + ")"
	}
	query := `SELECT shop, id FROM claims WHERE state IN (` + placeholders(&args, []claim.State{claim.StateReceived, claim.StateOpening}) + `)
		AND (shop, id) IN (VALUES ` + strings.Join(pairs, ", ") + `)`
	var opening map[claim.Ref]bool
	err := s.read(ctx, "read which claims were opened", func(db *sql.DB) error {
		opening = map[claim.Ref]bool{}
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var ref claim.Ref
			err := scan(&ref.Shop, &ref.ID)
			opening[ref] = true
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(refs), func(ref claim.Ref) bool { return opening[ref] }), nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}

// page cuts rows, of which one more than a page was read, to a page. next is the cursor
// of the next page, empty on the last page.
func page[T any](rows []T, limit int, position func(last T) string) (_ []T, next string) {
	if len(rows) <= limit {
		return rows, ""
	}
	return rows[:limit], position(rows[limit-1])
}

func placeholders[T any](args *arguments, values []T) string {
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = args.add(v)
	}
	return strings.Join(places, ", ")
}

// cursor identifies the last row of a page. A shop's slug contains no slash.
func cursor(at int64, ref claim.Ref) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(at, 10) + "/" + ref.Shop + "/" + ref.ID))
}

func parseCursor(text string) (int64, claim.Ref, error) {
	invalid := &claim.InvalidError{What: "list", Errors: []claim.FieldError{{Field: "cursor", Problem: "must be a cursor from an earlier page"}}}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return 0, claim.Ref{}, invalid
	}
	parts := strings.SplitN(string(data), "/", 3)
	if len(parts) != 3 {
		return 0, claim.Ref{}, invalid
	}
	at, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return 0, claim.Ref{}, invalid
	}
	return at, claim.Ref{Shop: plain(parts[1]), ID: plain(parts[2])}, nil
}
