package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

const (
	// idempotencyHeader carries the key that makes a repeated write the same write.
	idempotencyHeader = "Idempotency-Key"
	// maxKeyLength bounds the key, in bytes.
	maxKeyLength = 255
	// defaultWriteWait is how long a request waits for its write. Clients give up after
	// 30 s.
	defaultWriteWait = 20 * time.Second
	operationsPath   = "/operations/"
	filesPrefix      = "files/"
)

// writeUnified answers a write: a method of a resource. The answer is the object as it is
// after the write, {"id"} of a deleted one, or 202 with the operation's address if the
// write takes longer.
func (a *api) writeUnified(w http.ResponseWriter, r *http.Request, model, resource, id, method string) error {
	scope := client.ScopeUnifiedWrite
	if unified.Provisions(model, resource) {
		scope = client.ScopeDirectoryWrite
	}
	account, err := a.account(w, r, scope)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	w.Header().Set(idempotencyHeader, key)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, unified.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return unified.NewError(http.StatusRequestEntityTooLarge, "The body is larger than "+strconv.Itoa(unified.MaxBodyBytes>>20)+" MiB.")
	}
	if err != nil {
		return unified.NewError(http.StatusBadRequest, "The body could not be read.")
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		body = nil
	}
	about := of(r.Context())
	written, err := a.Unified.Write(r.Context(), unify.Write{
		Account: account, Shop: about.key.Shop, Key: key, Wait: a.WriteWait,
		WriteRequest: unify.WriteRequest{Model: model, Resource: resource, Method: method, ID: id, Query: r.URL.RawQuery, Body: body},
	})
	var refused *unified.Error
	if errors.As(err, &refused) && refused.StatusCode == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodGet)
	}
	if err != nil {
		return err
	}
	if written.Fresh {
		a.audit(r.Context(), claim.AuditEntry{
			Actor: about.key.Name, Action: "unified-" + method, Shop: about.key.Shop, Target: id,
			Details: map[string]string{"account": account, "resource": model + "/" + resource, "operation": written.ID},
		})
	}
	if written.State == store.OperationRunning {
		a.writeOperation(w, http.StatusAccepted, written.Operation)
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(written.Status)
	_, _ = w.Write(append(written.Answer, '\n')) // the caller may have disconnected
	return nil
}

// idempotencyKey returns the key of a request, or a new one.
func idempotencyKey(r *http.Request) (string, error) {
	key := r.Header.Get(idempotencyHeader)
	if key == "" {
		return uuid.NewString(), nil
	}
	if len(key) > maxKeyLength || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) {
		return "", unified.NewError(http.StatusBadRequest, "The Idempotency-Key must have at most "+strconv.Itoa(maxKeyLength)+" printable ASCII characters.")
	}
	return key, nil
}

func (a *api) writeOperation(w http.ResponseWriter, status int, op store.Operation) {
	out := client.Operation{
		ID: op.ID, Status: string(op.State), URL: strings.TrimSuffix(a.PublicURL, "/") + operationsPath + op.ID, CreatedAt: op.CreatedAt.Truncate(time.Second),
	}
	switch op.State {
	case store.OperationRunning:
		w.Header().Set("Retry-After", "1")
	case store.OperationDone:
		out.Result = op.Answer
	case store.OperationFailed:
		out.Error = op.Answer
	}
	if !op.FinishedAt.IsZero() {
		at := op.FinishedAt.Truncate(time.Second)
		out.FinishedAt = &at
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", out.URL)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) //nolint:errchkjson // the stored answers are JSON, and the caller may have disconnected
}

// serveOperations answers GET /operations/{id}, and the files that Dixa fetches from
// /operations/files/{token}.
func (a *api) serveOperations(w http.ResponseWriter, r *http.Request) error {
	if a.Unified == nil {
		return unified.NewError(http.StatusServiceUnavailable, "The unified API is not available.")
	}
	return only(w, r, map[string]func() error{http.MethodGet: func() error {
		rest := strings.TrimPrefix(r.URL.Path, operationsPath)
		if token, ok := strings.CutPrefix(rest, filesPrefix); ok {
			return a.serveOperationFile(w, r, token)
		}
		return a.readOperation(w, r, rest)
	}})
}

// readOperation answers with an operation that the caller may see.
func (a *api) readOperation(w http.ResponseWriter, r *http.Request, id string) error {
	c, err := a.caller(w, r)
	if err != nil {
		return err
	}
	gone := unified.NewError(http.StatusNotFound, "There is no operation with this id. Operations are deleted 72 hours after they ended.")
	op, err := a.Store.Operations.Get(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return gone
	}
	if err != nil {
		return err
	}
	if _, err := a.admitAccount(w, r, c, op.ConnectionID, accountScopes()...); err != nil {
		return err
	}
	if op.State == store.OperationDone {
		a.Unified.Forget(op.ConnectionID) // a read after this answer sees the write
	}
	a.writeOperation(w, http.StatusOK, op)
	return nil
}

// serveOperationFile sends a file to Dixa. Its address is the permission.
func (a *api) serveOperationFile(w http.ResponseWriter, r *http.Request, token string) error {
	file, err := a.Unified.OpenFile(r.Context(), token)
	if errors.Is(err, store.ErrNotFound) {
		return unified.NewError(http.StatusNotFound, "The address of the file is not valid any longer.")
	}
	if err != nil {
		return err
	}
	kind := file.ContentType
	if kind == "" || strings.ContainsFunc(kind, func(c rune) bool { return c < ' ' || c > '~' }) {
		kind = "application/octet-stream"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(file.Data)))
	h.Set("Content-Disposition", disposition(file.Name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, no-store")
	if r.Method == http.MethodGet {
		_, _ = w.Write(file.Data) //nolint:gosec // the headers make it a download; the reader may have disconnected
	}
	return nil
}
