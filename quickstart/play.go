package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// pace is how fast the demo's people act.
type pace struct {
	// between is how long a person waits before the next action. Dixa's clock has a
	// resolution of milliseconds, and nobody does two things in one.
	between time.Duration
	// quiet is how long a closed claim may reopen.
	quiet time.Duration
}

var (
	quick    = pace{between: 5 * time.Millisecond, quiet: 3 * time.Second}
	watching = pace{between: time.Second, quiet: 5 * time.Second}
)

// part is one action that people take in a claim's conversation. It is done once the
// claim reflects it.
type part struct {
	name string
	do   func(ctx context.Context, s *stack, conversation int64) error
	done func(d client.ClaimDetail) bool
}

// answerTo returns the tag with which the agent closes sample i for good. Most
// samples are accepted, one is rejected and one is closed without an answer.
func answerTo(i int) string {
	switch i {
	case 1:
		return "claim-rejected"
	case 2:
		return ""
	}
	return "claim-accepted"
}

// script returns the actions on a sample claim, from its opening to its end. A claim
// that is further along continues from there.
func script(answer string) []part {
	happened := func(what string, times int) func(client.ClaimDetail) bool {
		return func(d client.ClaimDetail) bool {
			n := 0
			for _, e := range d.Timeline {
				if e.What == what {
					n++
				}
			}
			return n >= times
		}
	}
	closing := []server.Step{{Action: server.PlayClose}}
	if answer != "" {
		closing = append([]server.Step{{Action: server.PlayTag, Tag: answer}}, closing...)
	}
	return []part{
		{"opened", nil, func(d client.ClaimDetail) bool { return d.ConversationID != 0 && !d.OpenedAt.IsZero() }},
		{"replied", agent(server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayReply, Text: "Thank you, we are looking into it."}), happened("reply to the customer", 1)},
		{"closed", agent(server.Step{Action: server.PlayTag, Tag: "answered"}, server.Step{Action: server.PlayClose}), happened("conversation closed", 1)},
		{"reopened", customer(server.Step{Action: server.PlayReply, Text: "It is not solved yet, sorry."}), happened("conversation reopened", 1)},
		{"closed again", agent(closing...), happened("conversation closed", 2)},
		{"settled", nil, func(d client.ClaimDetail) bool { return d.State == claim.StateSettled }},
	}
}

func agent(steps ...server.Step) func(context.Context, *stack, int64) error {
	return func(ctx context.Context, s *stack, conversation int64) error {
		return s.each(ctx, conversation, s.dixa.Agent, steps)
	}
}

func customer(steps ...server.Step) func(context.Context, *stack, int64) error {
	return func(ctx context.Context, s *stack, conversation int64) error {
		return s.each(ctx, conversation, s.dixa.Customer, steps)
	}
}

func (s *stack) each(ctx context.Context, conversation int64, play func(context.Context, ...server.Step) error, steps []server.Step) error {
	for _, step := range steps {
		if err := s.wait(ctx, s.pace.between); err != nil {
			return err
		}
		step.Conversation = conversation
		if err := play(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// play plays the script for all sample claims at once and waits for the end. A claim
// that needs attention fails immediately, because no operator is there.
func (s *stack) play(ctx context.Context) error {
	var people errgroup.Group
	for i, c := range s.samples {
		people.Go(func() error {
			for _, p := range script(answerTo(i)) {
				if err := s.act(ctx, c.ref, p); err != nil {
					return fmt.Errorf("claim %s is not %s: %w", c.ref.ID, p.name, err)
				}
			}
			return s.await(ctx, c.ref, func(d client.ClaimDetail) error {
				if have := s.owner.last(c.ref.ID); have.State != d.State || have.Status != d.Status {
					return fmt.Errorf("its owner last received the state %s with the status %s", cmp.Or(string(have.State), "none"), have.Status)
				}
				return s.owner.lacks(c.ref.ID)
			})
		})
	}
	// A duplicate or unsigned event counts even if nothing waited after it.
	return errors.Join(people.Wait(), s.owner.err())
}

// act performs a part unless the claim shows that it is done, and waits until it
// does.
func (s *stack) act(ctx context.Context, ref claim.Ref, p part) error {
	d, err := s.api.Claim(ctx, ref)
	if err != nil {
		return err
	}
	if p.do != nil && !p.done(d) {
		if err := p.do(ctx, s, d.ConversationID); err != nil {
			return err
		}
	}
	return s.await(ctx, ref, func(d client.ClaimDetail) error {
		if !p.done(d) {
			return fmt.Errorf("its state is %s", d.State)
		}
		return nil
	})
}

// errStuck reports that waiting does not help.
var errStuck = errors.New("the claim needs attention")

// await polls a claim until is returns nil. is returns an error that says what the
// claim lacks.
func (s *stack) await(ctx context.Context, ref claim.Ref, is func(client.ClaimDetail) error) error {
	for {
		d, err := s.api.Claim(ctx, ref)
		if err == nil {
			if err = is(d); err == nil {
				return nil
			}
			if wrong := s.owner.err(); wrong != nil {
				return wrong
			}
			if d.State == claim.StateNeedsAttention {
				return fmt.Errorf("%w (%s): %s", errStuck, d.Cause, d.LastError)
			}
		}
		if waitErr := s.wait(ctx, 50*time.Millisecond); waitErr != nil {
			return fmt.Errorf("%w: %w", err, waitErr)
		}
	}
}

// wait pauses for d. It fails if ctx or a part of the stack ends first.
func (s *stack) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-s.ended:
		return errors.New("a part of the quickstart stopped")
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// reached returns the names of the parts that the claim shows as done, in order.
func reached(i int, d client.ClaimDetail) []string {
	names := []string{}
	for _, p := range script(answerTo(i)) {
		if p.done(d) {
			names = append(names, p.name)
		}
	}
	return slices.Clip(names)
}
