package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

func (a *app) claimSubmit() *cobra.Command {
	var file, shop string
	var wait time.Duration
	c := &cobra.Command{
		Use: "submit -f FILE", Short: "Submit a claim or a list of claims",
		Long: "Submits the claim in a JSON file, in either wire form, or every claim in a JSON list. " +
			"If a claim in a list is rejected, the others are still submitted; each is reported as new, known (already submitted) or refused, " +
			"and the command exits with 3 if one was refused. " +
			"Submitting the same claim again is safe, so you can repeat an interrupted command.\n\n" +
			"With --wait, each claim is reported once it is open, parked or skipped, with its conversation.",
		Example: "  starter claim submit -f claim.json\n  starter claim submit -f claim.json --wait\n  starter claim submit --shop acme -f - < claims.json",
		Args:    arguments(),
		RunE: a.calling(func(ctx context.Context, api *client.Client, _ []string) error {
			if file == "" {
				return usage("specify the claim file with -f, or -f - for the standard input")
			}
			if wait < 0 || wait > client.MaxWait {
				return usage("--wait must be at most %s", client.MaxWait)
			}
			var opts []client.SubmitOption
			if wait > 0 {
				opts = append(opts, client.Wait(wait))
			}
			data, err := a.read(file)
			if err != nil {
				return err
			}
			bodies, isList, err := claimsOf(data)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if isList {
				return a.submitAll(ctx, api, shop, bodies, opts)
			}
			if shop == "" {
				if shop = shopOf(data); shop == "" {
					return usage("the claim in %s has no shop_slug; specify the shop with --shop", file)
				}
			}
			s, err := api.SubmitBody(ctx, shop, data, opts...)
			return a.print(s, err, func(w *tabwriter.Writer) { submissionTable(w, []submission{accepted(1, s)}) })
		}),
	}
	c.Flags().StringVarP(&file, "file", "f", "", "the JSON file of the claims; - for the standard input")
	c.Flags().StringVar(&shop, "shop", "", "the shop (default: the claim's shop_slug)")
	c.Flags().DurationVar(&wait, "wait", 0, "wait until the claim is open, parked or skipped; --wait alone waits 30s")
	c.Flags().Lookup("wait").NoOptDefVal = client.MaxWait.String()
	return c
}

// submission is the result of submitting one claim of a list.
type submission struct {
	// Index is the claim's position in the list, from 1.
	Index int    `json:"index"`
	Shop  string `json:"shop,omitempty"`
	ID    string `json:"claim_id,omitempty"`
	// Result is "new", "known" or "refused".
	Result string `json:"result"`
	// Submitted is the service's answer; nil if it rejected the claim.
	*client.Submitted
	// Error is why a claim was rejected.
	Error *failure `json:"error,omitempty"`
}

func accepted(index int, s client.Submitted) submission {
	result := "known"
	if s.New {
		result = "new"
	}
	return submission{Index: index, Shop: s.Claim.Shop, ID: s.Claim.ID, Result: result, Submitted: &s}
}

// submitAll submits the claims one by one and reports each. It stops early only if
// the next claim would fail as well: without an answer, or with a rejected key.
func (a *app) submitAll(ctx context.Context, api *client.Client, shop string, bodies []json.RawMessage, opts []client.SubmitOption) error {
	done := make([]submission, 0, len(bodies))
	var refused, broken error
	for i, body := range bodies {
		s, err := submitOne(ctx, api, shop, body, i+1, opts)
		if err != nil && !isRefusal(err) {
			broken = fmt.Errorf("claim %d of %d and all after it were not submitted: %w", i+1, len(bodies), err)
			break
		}
		if err != nil {
			refused = err
		}
		done = append(done, s)
	}
	err := a.print(done, nil, func(w *tabwriter.Writer) { submissionTable(w, done) })
	switch {
	case broken != nil:
		return errors.Join(broken, err)
	case refused != nil:
		return errors.Join(errReported, refused, err)
	default:
		return err
	}
}

func submitOne(ctx context.Context, api *client.Client, shop string, body json.RawMessage, index int, opts []client.SubmitOption) (submission, error) {
	named := namesOf(body)
	shop = cmp.Or(shop, named.Shop)
	out := submission{Index: index, Shop: shop, ID: named.ID, Result: "refused"}
	var err error
	if shop == "" {
		err = &client.Error{Problem: client.Problem{
			Status: http.StatusUnprocessableEntity, Code: client.CodeInvalid, Detail: "Invalid claim.",
			Errors: []client.FieldError{{Field: "shop_slug", Message: "is required, or specify the shop with --shop"}},
		}}
	} else {
		var s client.Submitted
		if s, err = api.SubmitBody(ctx, shop, body, opts...); err == nil {
			return accepted(index, s), nil
		}
	}
	f := failureOf(err)
	out.Error = &f
	return out, err
}

// isRefusal reports whether the service rejected this claim in particular and would
// not reject every claim.
func isRefusal(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Status < 500 && e.Status != http.StatusUnauthorized && e.Status != http.StatusTooManyRequests
}

func submissionTable(w *tabwriter.Writer, all []submission) {
	line(w, "SHOP", "CLAIM", "RESULT", "STATE", "WORKFLOW OR ERRORS")
	for _, s := range all {
		id := cmp.Or(s.ID, fmt.Sprintf("(number %d)", s.Index))
		if s.Submitted != nil {
			about := s.Claim.WorkflowID
			if s.Claim.ConversationID != 0 {
				about += fmt.Sprintf(", conversation %d", s.Claim.ConversationID)
			}
			if len(s.Ignored) > 0 {
				about += " (ignored unknown members: " + strings.Join(s.Ignored, ", ") + ")"
			}
			line(w, s.Shop, id, s.Result, s.Claim.State, about)
			continue
		}
		problem := client.Error{Problem: client.Problem{Detail: s.Error.Detail, Errors: s.Error.Errors}}
		line(w, s.Shop, id, s.Result, "", problem.Error())
	}
}

// claimsOf splits a file of one claim or of a list of claims.
func claimsOf(data []byte) (bodies []json.RawMessage, isList bool, err error) {
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 {
		return nil, false, errors.New("the file is empty; it must contain a claim or a list of claims as JSON")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, false, fmt.Errorf("not valid JSON: %s", syntaxError(data, err))
	}
	if trimmed[0] != '[' {
		return []json.RawMessage{data}, false, nil
	}
	err = json.Unmarshal(data, &bodies)
	return bodies, true, err
}

// syntaxError describes a JSON error with its position in the data.
func syntaxError(data []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	before := string(data[:min(int(syntax.Offset), len(data))])
	lines := strings.Split(before, "\n")
	return fmt.Sprintf("line %d, column %d: %s", len(lines), len(lines[len(lines)-1]), syntax.Error())
}

type claimNames struct {
	Shop string `json:"shop_slug"`
	ID   string `json:"claim_id"`
	UUID string `json:"uuid"`
}

func namesOf(body json.RawMessage) (n claimNames) {
	_ = json.Unmarshal(body, &n) // the service reports errors better
	n.ID = cmp.Or(n.ID, n.UUID)
	return n
}

func shopOf(body json.RawMessage) string { return namesOf(body).Shop }
