package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

const (
	childTask = "STORE_TEST_CHILD"
	childURL  = "STORE_TEST_URL"
	childKeys = "STORE_TEST_KEYS"

	childClaims   = 30
	childSlots    = 30
	childInterval = time.Millisecond
)

// childReport is what a child process did to the store.
type childReport struct {
	New   int
	Waits []time.Duration
}

// runChild is the main function of a process that shares a store with others. Its
// clock stands still, so each wait identifies a slot.
func runChild(string) int {
	report, err := child()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(report)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child() (report childReport, err error) {
	ctx := context.Background()
	keys, err := seal.Parse(os.Getenv(childKeys))
	if err != nil {
		return report, err
	}
	s, err := store.Open(ctx, os.Getenv(childURL), keys, store.WithClock(newClock().Now))
	if err != nil {
		return report, err
	}
	defer s.Close()
	if _, err := s.Shops.Create(ctx, store.NewShop{Slug: "acme"}); err != nil {
		if _, another := errors.AsType[*store.ConflictError](err); !another {
			return report, err
		}
	}
	for i := range childClaims {
		accepted, err := s.Claims.Accept(ctx, sample(strconv.Itoa(i)))
		if err != nil {
			return report, err
		}
		if accepted.New {
			report.New++
		}
	}
	for range childSlots {
		slot, err := s.Budget.Take(ctx, "token", store.BudgetLimits{Interval: childInterval, MaxWait: time.Minute})
		if err != nil {
			return report, err
		}
		report.Waits = append(report.Waits, slot.Wait)
	}
	return report, nil
}

// Several processes create, open and use one new SQLite file concurrently.
func TestProcessesShareAFile(t *testing.T) {
	t.Parallel()
	const processes = 3
	text, err := seal.Generate()
	require.NoError(t, err)
	url := fileURL(t)
	reports := make([]childReport, processes)
	errs := atOnce(processes, func(i int) error {
		command := exec.CommandContext(t.Context(), os.Args[0])
		command.Env = append(os.Environ(), childTask+"=use", childURL+"="+url, childKeys+"="+text)
		out, err := command.Output()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(out, &reports[i])
	})
	fresh, taken := 0, map[time.Duration]bool{}
	for i, report := range reports {
		require.NoError(t, errs[i])
		fresh += report.New
		for _, wait := range report.Waits {
			require.False(t, taken[wait], "slot %s must be granted once", wait)
			taken[wait] = true
		}
	}
	require.Equal(t, childClaims, fresh, "each claim must be new once")
	for i := range processes * childSlots {
		require.True(t, taken[time.Duration(i)*childInterval], "slot %d must be granted", i)
	}
}
