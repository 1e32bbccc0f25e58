package activities

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// windowBatch is a batch of a window on its way into the store. unusable are the rows
// that cannot be stored, by place, with the reason.
type windowBatch struct {
	store.MirrorBatch
	unusable map[int]string

	// next is the page of the activity log after this one. restart says instead that the
	// pages before it have to be read again.
	next    string
	restart bool
}

// ahead returns the batches that a goroutine reads while the caller stores those before
// them. The goroutine ends before the iteration does.
func ahead(ctx context.Context, read func(ctx context.Context) iter.Seq2[*windowBatch, error]) iter.Seq2[*windowBatch, error] {
	type result struct {
		batch *windowBatch
		err   error
	}
	return func(yield func(*windowBatch, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		results := make(chan result)
		go func() {
			defer close(results)
			for batch, err := range read(ctx) {
				select {
				case results <- result{batch, err}:
				case <-ctx.Done():
					return
				}
			}
		}()
		defer func() {
			cancel()
			for range results { // until the goroutine has ended
			}
		}()
		for r := range results {
			if !yield(r.batch, r.err) {
				return
			}
		}
	}
}

// storeExport stores the rows of an export. add adds a row to a batch, or returns why it
// cannot be stored.
func storeExport[T any](ctx context.Context, r *windowRun, export func(context.Context) iter.Seq2[*T, error], add func(*T, *store.MirrorBatch) (unusable string)) error {
	for batch, err := range ahead(ctx, func(ctx context.Context) iter.Seq2[*windowBatch, error] {
		return exportBatches(ctx, r, export(ctx), add)
	}) {
		if err != nil {
			return err
		}
		r.setAllAside(0, batch.unusable)
		if err := r.store(ctx, batch.MirrorBatch); err != nil {
			return err
		}
	}
	return ctx.Err() // a context that ended may have ended the iteration
}

// exportBatches returns the rows of an export in batches. An error ends them.
func exportBatches[T any](ctx context.Context, r *windowRun, rows iter.Seq2[*T, error], add func(*T, *store.MirrorBatch) (unusable string)) iter.Seq2[*windowBatch, error] {
	return func(yield func(*windowBatch, error) bool) {
		fresh := func() *windowBatch { return &windowBatch{MirrorBatch: r.newBatch(), unusable: map[int]string{}} }
		batch, place, size := fresh(), -1, r.Store.Mirror.BatchSize()
		for row, err := range rows {
			place++
			var why string
			if unreadable := new(dixa.ExportRowError); errors.As(err, &unreadable) {
				why = cmp.Or(unreadable.Err, err).Error()
			} else if err != nil {
				yield(nil, err)
				return
			} else {
				why = add(row, &batch.MirrorBatch)
			}
			if why != "" {
				batch.unusable[place] = why
			}
			if len(batch.Facts)+len(batch.Messages)+len(batch.unusable) < size {
				continue
			}
			if err := r.Store.Mirror.Prepare(ctx, &batch.MirrorBatch); !yield(batch, err) || err != nil {
				return
			}
			batch = fresh()
		}
		yield(batch, r.Store.Mirror.Prepare(ctx, &batch.MirrorBatch))
	}
}

const (
	// activityPage is the number of log entries requested at once.
	activityPage = 1000
	// activityBatches is how many batches' worth of log entries are stored at once: they are
	// much smaller than messages.
	activityBatches = 3
)

// logPages returns the window's activity log in batches of whole pages, beginning with
// the given one.
func (r *windowRun) logPages(ctx context.Context, client *dixa.Client, page string) iter.Seq2[*windowBatch, error] {
	return func(yield func(*windowBatch, error) bool) {
		limit, restarted := activityPage, false
		var batch *windowBatch
		for {
			if batch == nil {
				batch = &windowBatch{MirrorBatch: r.newBatch(), unusable: map[int]string{}}
			}
			entries, next, err := client.Conversations.OrganizationActivityLogPage(ctx, r.Window.From, r.Window.To, limit, page)
			if e, ok := dixa.AsError(err); ok && e.Status == http.StatusBadRequest && (page != "" && !restarted || page == "" && limit != 0) {
				// Neither the largest page nor the life of a page's key is documented.
				if page == "" {
					limit = 0
				}
				restarted, page, batch = restarted || page != "", "", nil
				if !yield(&windowBatch{restart: true}, nil) {
					return
				}
				continue
			}
			if err != nil {
				// Another attempt continues after the pages that were read.
				if batch.next == "" || yield(batch, nil) {
					yield(nil, err)
				}
				return
			}
			for _, entry := range entries {
				if a, ok := mirror.ActivityFromLog(entry); ok {
					batch.Activities = append(batch.Activities, a)
				} else {
					batch.unusable[len(batch.Activities)+len(batch.unusable)] = "an activity log entry without an id, a conversation or a time"
				}
			}
			page, batch.next = next, next
			if next != "" && len(batch.Activities) < activityBatches*r.Store.Mirror.BatchSize() {
				continue
			}
			if err := r.Store.Mirror.Prepare(ctx, &batch.MirrorBatch); !yield(batch, err) || err != nil || next == "" {
				return
			}
			batch = nil
		}
	}
}
