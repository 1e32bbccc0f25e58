package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/claimflow/claimflow/mirror"
)

// figureDateColumns are the columns of figures by which a key figure can place a
// conversation, those of its events aside.
const figureDateColumns = "created_at, first_inbound_at, first_response_at, first_assigned_at, first_closed_at, last_closed_at"

// figureDates are the values of [figureDateColumns].
type figureDates [6]int64

// dest returns where to scan the columns.
func (d *figureDates) dest() []any {
	dest := make([]any, len(d))
	for i := range d {
		dest[i] = &d[i]
	}
	return dest
}

// dayLength is a day in microseconds.
const dayLength = int64(24 * time.Hour / time.Microsecond)

// figureDays are the days of the dates of conversations: midnights in UTC.
type figureDays map[int64]bool

// add adds the days of dates in microseconds; 0 is none.
func (d figureDays) add(dates ...int64) {
	for _, at := range dates {
		if at != 0 {
			d[at-((at%dayLength)+dayLength)%dayLength] = true
		}
	}
}

// addFigures adds the days of all dates of figures.
func (d figureDays) addFigures(f *mirror.Figures) {
	d.add(micros(f.CreatedAt), micros(f.FirstInboundAt), micros(f.FirstResponseAt), micros(f.FirstAssignedAt), micros(f.FirstClosedAt), micros(f.LastClosedAt))
	for i := range f.Events {
		d.add(micros(f.Events[i].At))
	}
}

// scanDate adds the day of a row of one date.
func (d figureDays) scanDate(scan func(...any) error) error {
	var at int64
	err := scan(&at)
	d.add(at)
	return err
}

// scanDates adds the days of a row of [figureDateColumns].
func (d figureDays) scanDates(scan func(...any) error) error {
	var dates figureDates
	err := scan(dates.dest()...)
	d.add(dates[:]...)
	return err
}

// markDays records on which days figures changed, with the number of the change, which it
// returns. The caller has locked the mirror, so a later commit has a higher number.
func (s *core) markDays(ctx context.Context, tx *sql.Tx, connectionID string, days figureDays) (change int64, err error) {
	if change, err = nextChange(ctx, tx, connectionID); err != nil {
		return 0, err
	}
	marks := newUpsert("figure_days", []string{"connection_id", "day"}, "change")
	for _, day := range slices.Sorted(maps.Keys(days)) {
		marks.add(connectionID, day, change)
	}
	return change, marks.run(ctx, tx, s.dialect)
}
