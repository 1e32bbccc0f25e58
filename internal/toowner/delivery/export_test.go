package delivery

import (
	"context"
	"errors"
	"time"
)

// Once makes all due attempts, including those that become due as a result, waits
// for them and returns their number.
func (d *Deliverer) Once(ctx context.Context) (int, error) {
	attempts := 0
	for {
		n, err := d.start(ctx)
		d.running.Wait()
		attempts += n
		if err != nil || n == 0 || ctx.Err() != nil {
			return attempts, errors.Join(err, ctx.Err())
		}
	}
}

// Schedule returns the wait after each failed attempt, plus or minus a tenth.
func Schedule() []time.Duration { return append([]time.Duration(nil), schedule...) }
