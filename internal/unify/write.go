package unify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

const (
	// firstPoll and longestPoll bound the time between two looks at an operation that a
	// request waits for.
	firstPoll   = 20 * time.Millisecond
	longestPoll = 250 * time.Millisecond
	// fileTTL is how long the address of a file of an operation is valid. It is longer
	// than an operation may take.
	fileTTL = 2 * time.Hour
	// filesPath is the address of the files of operations.
	filesPath = "/operations/files/"
)

// WriteRequest is a request to write, as it is stored.
type WriteRequest struct {
	Model    string `json:"model"`
	Resource string `json:"resource"`
	// Method is [unified.MethodCreate], [unified.MethodUpdate] or
	// [unified.MethodDelete].
	Method string `json:"method"`
	// ID is empty for a create.
	ID string `json:"id,omitempty"`
	// Query is the query string.
	Query string `json:"query,omitempty"`
	// Body is nil if it is empty.
	Body json.RawMessage `json:"body,omitempty"`
}

// Change parses the request. The errors are those of [unified.ParseChange].
func (r *WriteRequest) Change() (*unified.Change, error) {
	return unified.ParseChange(r.Model, r.Resource, r.Method, r.ID, r.Body)
}

// query parses the parameters.
func (r *WriteRequest) query() (*unified.Query, error) {
	resource, err := unified.ResourceOf(r.Model, r.Resource)
	if err != nil {
		return nil, err
	}
	method, ok := resource.Method(r.Method)
	if !ok {
		return nil, resource.Refusal(r.Method)
	}
	return unified.ParseQuery(r.Query, method.Filters())
}

// Write is a write to carry out once.
type Write struct {
	Account string
	// Shop is the shop that the caller's API key is limited to; empty for none.
	Shop string
	// Key is the Idempotency-Key. Writes with the same account, resource, object, method
	// and key are the same write.
	Key string
	// Operation is the id that the operation gets; empty for a new one.
	Operation string
	WriteRequest
	// Wait is how long to wait for the outcome.
	Wait time.Duration
	// Join makes a repeat wait for the first request too, instead of a 409 while that is
	// running.
	Join bool
}

// Written is a write that was accepted. It may still be running.
type Written struct {
	store.Operation
	// Fresh is false for a repeat of an earlier write.
	Fresh bool
}

// ReadOnly returns the error for a write to an account whose shops are read-only.
func ReadOnly() *unified.Error {
	return unified.NewError(http.StatusMethodNotAllowed, "The account is read-only: its shops' settings (read_only) forbid writes to Dixa. Nothing was sent.")
}

// Write stores a write, starts it and waits for its outcome, at most for the given time.
// A repeat with the same content gets the outcome of the first. The error is an
// [*unified.Error]: 400 and 501 for a request that cannot be carried out, 405 for a
// read-only account, and 409 if the key was used for other content or if the first
// request with it is still running. After an error nothing was stored.
func (s *Service) Write(ctx context.Context, w Write) (*Written, error) {
	n := store.NewOperation{
		ID: w.Operation, ConnectionID: w.Account, Shop: w.Shop, Key: []string{w.Model, w.Resource, w.Method, w.ID, w.Key},
		Content: []string{canonicalQuery(w.Query), string(w.Body)},
	}
	// A repeat comes first: what the request means may have changed since.
	op, err := s.Store.Operations.Find(ctx, n)
	fresh := false
	if errors.Is(err, store.ErrNotFound) {
		if n.Request, err = s.admit(ctx, w); err != nil {
			return nil, err
		}
		op, fresh, err = s.Store.Operations.Begin(ctx, n)
	}
	var conflict *store.ConflictError
	switch {
	case errors.As(err, &conflict):
		return nil, unified.NewError(http.StatusConflict, "The Idempotency-Key was used for a request with another body or query. Use another key.")
	case err != nil:
		return nil, err
	case !fresh && op.State == store.OperationRunning && w.Join:
		op, err = s.wait(ctx, op, w.Wait)
		s.Forget(w.Account)
		return &Written{Operation: op}, err
	case !fresh && op.State == store.OperationRunning:
		e := unified.NewError(http.StatusConflict, "The first request with this Idempotency-Key is still running as operation "+op.ID+".")
		e.RetryAfter = 1
		return nil, e
	case !fresh:
		return &Written{Operation: op}, nil
	}
	written := &Written{Operation: op, Fresh: true}
	if s.Start == nil {
		return written, nil
	}
	if err := s.Start(ctx, op.OperationRef); err != nil {
		return written, nil //nolint:nilerr // the write is stored, and a worker starts it within a minute
	}
	written.Operation, err = s.wait(ctx, op, w.Wait)
	s.Forget(w.Account)
	return written, err
}

// admit checks a write that is not stored yet and returns it as it is stored, with the
// values that its categories mean now.
func (s *Service) admit(ctx context.Context, w Write) ([]byte, error) {
	mapping, err := s.Store.Mappings.All(ctx, w.Account)
	if err != nil {
		return nil, err
	}
	if w.Body, err = unified.Mapping(mapping).Rewrite(w.Model, w.Resource, w.Body); err != nil {
		return nil, err
	}
	change, err := w.Change()
	if err != nil {
		return nil, err
	}
	if _, err := w.query(); err != nil {
		return nil, err
	}
	settings, err := s.Settings(ctx, w.Account, w.Shop)
	if err != nil {
		return nil, err
	}
	if settings.ReadOnly {
		return nil, ReadOnly()
	}
	if s.PublicURL == "" && hasContent(change) {
		return nil, unified.NewError(http.StatusNotImplemented, "Files can only be sent by their address: Dixa fetches them, and CLAIMFLOW_PUBLIC_URL is not set, so it cannot fetch them from Claimflow.")
	}
	request, err := json.Marshal(w.WriteRequest)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	return request, nil
}

func hasContent(c *unified.Change) bool {
	return slices.ContainsFunc(filesOfChange(c), func(f unified.File) bool { return len(f.Data) > 0 })
}

// filesOfChange returns the files of a change, of which there is one message at most.
func filesOfChange(c *unified.Change) []unified.File {
	for _, step := range c.Steps {
		switch s := step.(type) {
		case unified.AddMessage:
			return s.Files
		case unified.OpenTicket:
			return s.Message.Files
		}
	}
	return nil
}

// canonicalQuery is a query string without the account, which clients may send in
// another place.
func canonicalQuery(raw string) string {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return raw
	}
	q.Del("integrated_account_id")
	return q.Encode()
}

// wait waits until an operation ended, or returns it as it is when the time is over. A
// caller that does not wait any longer is no error: the operation goes on.
func (s *Service) wait(ctx context.Context, op store.Operation, most time.Duration) (store.Operation, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for pause := firstPoll; ; pause = min(2*pause, longestPoll) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return op, nil
		}
		now, err := s.Store.Operations.Get(ctx, op.ID)
		switch {
		case ctx.Err() != nil:
			return op, nil
		case err != nil:
			return op, err
		case now.State != store.OperationRunning:
			return now, nil
		}
	}
}

// Settings returns the settings of a shop or, if it is empty, those of the shops of an
// account: the longest waits, the mailbox and the agent if all have the same, and
// read-only if all are.
func (s *Service) Settings(ctx context.Context, account, shop string) (claim.Settings, error) {
	shops := []string{shop}
	if shop == "" {
		var err error
		if shops, err = s.Store.Connections.Shops(ctx, account); err != nil {
			return claim.Settings{}, fmt.Errorf("read the shops of connection %s: %w", account, err)
		}
	}
	out, first := claim.DefaultSettings(), true
	for _, shop := range shops {
		in, err := s.Store.Settings.Integration(ctx, shop)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return out, fmt.Errorf("read the settings of shop %s: %w", shop, err)
		}
		own := in.Effective
		if first {
			out, first = own, false
			continue
		}
		out.CommitWindow, out.ListLag = max(out.CommitWindow, own.CommitWindow), max(out.ListLag, own.ListLag)
		out.ReadOnly = out.ReadOnly && own.ReadOnly
		if out.EmailIntegrationID != own.EmailIntegrationID {
			out.EmailIntegrationID = ""
		}
		if out.DefaultAgentID != own.DefaultAgentID {
			out.DefaultAgentID = ""
		}
	}
	return out, nil
}

// fileToken says which file of which operation an address is for.
type fileToken struct {
	Operation string    `json:"operation"`
	File      int       `json:"file"`
	Until     time.Time `json:"until"`
}

const fileTokens = "file of an operation" //nolint:gosec // no credential

// FileAddress returns the address at which Dixa fetches a file of an operation, by its
// place among the files. It is valid for two hours, but no longer than the operation
// takes. Nobody else can make one.
func (s *Service) FileAddress(operation string, file int) (string, error) {
	text, err := json.Marshal(fileToken{operation, file, time.Now().Add(fileTTL).UTC()})
	if err != nil {
		return "", err
	}
	token, err := s.Store.SealCursor(string(text), fileTokens)
	return strings.TrimSuffix(s.PublicURL, "/") + filesPath + token, err
}

// OpenFile returns the file of an address. The error is [store.ErrNotFound] if the
// address is not valid, or not any longer.
func (s *Service) OpenFile(ctx context.Context, token string) (*unified.File, error) {
	none := fmt.Errorf("a file of an operation: %w", store.ErrNotFound)
	text, ok := s.Store.OpenCursor(token, fileTokens)
	var at fileToken
	if !ok || json.Unmarshal([]byte(text), &at) != nil || time.Now().After(at.Until) {
		return nil, none
	}
	stored, err := s.Store.Operations.Request(ctx, at.Operation)
	if err != nil {
		return nil, err
	}
	var request WriteRequest
	if json.Unmarshal(stored, &request) != nil {
		return nil, none
	}
	change, err := request.Change()
	if err != nil {
		return nil, none
	}
	files := filesOfChange(change)
	if at.File < 0 || at.File >= len(files) || len(files[at.File].Data) == 0 {
		return nil, none
	}
	return &files[at.File], nil
}
