package process

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// job is one thing that a process does until it stops.
type job struct {
	name string
	// every is how often run is repeated. If it is zero, run is called once, returns
	// when ctx ends, and its error stops the whole process.
	every time.Duration
	run   func(ctx context.Context) error
}

// runJobs runs all jobs at once until ctx ends or one of them stops the process. It
// waits for all of them and joins their errors.
func runJobs(ctx context.Context, log *slog.Logger, jobs []job) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(jobs))
	var running sync.WaitGroup
	for i, j := range jobs {
		running.Go(func() {
			if j.every > 0 {
				j.repeat(ctx, log)
			} else if errs[i] = j.run(ctx); errs[i] != nil {
				stop()
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// repeat runs a job at once and then at its interval until ctx ends. It logs the
// first error after a success, so that an outage of the store does not fill the log.
func (j job) repeat(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(j.every)
	defer tick.Stop()
	failing := false
	for {
		err := j.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			log.Warn("background job failed; retrying", "job", j.name, "every", j.every, "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// endless adapts a loop that handles its own errors to [job].
func endless(loop func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error {
		loop(ctx)
		return nil
	}
}
