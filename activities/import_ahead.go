package activities

import (
	"context"
	"iter"
)

// rowsAhead is how many rows of an export are decoded while others are stored.
const rowsAhead = 1000

// ahead returns the rows of an export, which a goroutine reads while the caller works
// on those before them. The goroutine ends before the iteration does.
func ahead[T any](ctx context.Context, export func(ctx context.Context) iter.Seq2[*T, error]) iter.Seq2[*T, error] {
	type read struct {
		row *T
		err error
	}
	return func(yield func(*T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		rows := make(chan read, rowsAhead)
		go func() {
			defer close(rows)
			for row, err := range export(ctx) {
				select {
				case rows <- read{row, err}:
				case <-ctx.Done():
					return
				}
			}
		}()
		defer func() {
			cancel()
			for range rows { // until the goroutine has ended
			}
		}()
		for r := range rows {
			if !yield(r.row, r.err) {
				return
			}
		}
	}
}
