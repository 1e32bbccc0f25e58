package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// links finds what was provisioned by the id in Dixa or by the name.
type links struct {
	byObject, byName map[string]*store.ProvisionedObject
}

func newLinks(all []store.ProvisionedObject) links {
	l := links{map[string]*store.ProvisionedObject{}, map[string]*store.ProvisionedObject{}}
	for i := range all {
		if all[i].ObjectID != "" {
			l.byObject[all[i].ObjectID] = &all[i]
		}
		l.byName[all[i].Name] = &all[i]
	}
	return l
}

// linkOf returns a link with what is kept.
func linkOf(account string, kind store.ProvisionedKind, name string, keep any) (store.ProvisionedObject, error) {
	text, err := json.Marshal(keep)
	return store.ProvisionedObject{ConnectionID: account, Kind: kind, Name: name, Body: text}, err
}

// creation is a write that creates the object of a link, or makes an agent again of the
// one that it had.
type creation struct {
	link    store.ProvisionedObject
	request unify.WriteRequest
	content map[string]any
	// current reads the name of an object from Dixa. ok is false if it is gone.
	current func(ctx context.Context, object string) (name string, ok bool, err error)
}

// created is how a creation ended.
type created struct {
	link store.ProvisionedObject
	// answer is that of the write; nil if the object was there already.
	answer json.RawMessage
}

// begin notes that an operation changes the object of a link, and returns what is stored.
// running says that the operation has begun already.
func (s *Service) begin(ctx context.Context, link store.ProvisionedObject) (stored store.ProvisionedObject, running bool, err error) {
	for {
		stored, fresh, err := s.Store.Provisioned.Begin(ctx, link)
		if err != nil || fresh {
			return stored, false, err
		}
		now, operation, err := s.settle(ctx, stored)
		if err != nil || now.Changing != "" {
			return stored, operation != "", err
		}
	}
}

// createOnce carries out a creation. Requests for the same name at once are one write: the
// first decides, and the others wait for it if they ask for the same.
func (s *Service) createOnce(ctx context.Context, c *Caller, n creation) (created, error) {
	after := context.WithoutCancel(ctx) // what was done must be remembered
	for {
		stored, running, err := s.begin(ctx, n.link)
		if err != nil {
			return created{}, err
		}
		link := n.link
		link.Changing = stored.Changing
		if link.ID == "" {
			link.ID = stored.ID // of the same person or team, which Dixa had before
		}
		if !running {
			// Another request may have created the object since this one looked for it.
			there, err := s.there(ctx, &n, &stored, &link)
			if err != nil || there {
				s.Unified.Forget(c.Account) // a list that does not have it
				stored.Changing = ""
				return created{link: stored}, errors.Join(err, s.Store.Provisioned.Abandon(after, link))
			}
		}
		written, err := s.write(ctx, c, n.request, n.content, link.Changing)
		if isConflict(err) {
			if now, _, err := s.settle(ctx, stored); err != nil {
				return created{}, err
			} else if now.Changing == "" {
				continue
			}
			if n.request.Method == unified.MethodCreate {
				return created{}, taken("It is being created with other attributes, as operation " + link.Changing + ".")
			}
			return created{}, &stillRunningError{link.Changing}
		}
		if _, refused := AsError(err); refused { // nothing was stored
			return created{}, errors.Join(err, s.Store.Provisioned.Abandon(after, link))
		}
		if err != nil {
			return created{}, err
		}
		answer, err := outcome(written)
		if isRunning(err) {
			return created{}, err
		}
		if err != nil {
			return created{}, errors.Join(err, s.Store.Provisioned.Abandon(after, link))
		}
		id, err := idOf(answer)
		if err != nil {
			return created{}, fmt.Errorf("read the answer of operation %s: %w", written.ID, err)
		}
		if link.ObjectID = id; link.ID == "" {
			link.ID = id
		}
		err = s.Store.Provisioned.End(after, link)
		link.Changing = ""
		return created{link, answer}, err
	}
}

// there reports whether Dixa has the object that is stored, under its name. Otherwise it
// stores what the provider says of the new one. An object that has another name now keeps
// its id and what was said of it.
func (s *Service) there(ctx context.Context, n *creation, stored, link *store.ProvisionedObject) (bool, error) {
	if stored.ObjectID == "" {
		return false, nil
	}
	name, ok, err := n.current(ctx, stored.ObjectID)
	switch {
	case err != nil:
		return false, err
	case n.request.Method != unified.MethodCreate:
		return ok, nil
	case ok && s.Store.Provisioned.NameOf(name) == stored.Name:
		return true, nil
	}
	next := *link
	next.ObjectID = stored.ObjectID
	if ok {
		other := *stored
		other.Name, other.Changing = s.nameOfObject(other.ObjectID), ""
		if err := s.Store.Provisioned.Save(ctx, other); err != nil {
			return false, err
		}
		link.ID, next.ID, next.ObjectID = "", "", ""
	}
	return false, s.Store.Provisioned.Renew(ctx, next)
}

// nameOfObject is the name of a link to an object whose own name may have another.
func (s *Service) nameOfObject(id string) string { return s.Store.Provisioned.NameOf("id " + id) }

// settle notes the end of a change that ended without anybody noting it, because the
// request or the process ended before. running is the id of its operation if that has not
// ended.
func (s *Service) settle(ctx context.Context, link store.ProvisionedObject) (now store.ProvisionedObject, running string, err error) {
	if link.Changing == "" {
		return link, "", nil
	}
	op, err := s.Store.Operations.Get(ctx, link.Changing)
	if errors.Is(err, store.ErrNotFound) {
		return link, "", nil // it begins now, or it is so old that what it did is known otherwise
	}
	if err != nil {
		return link, "", err
	}
	if op.State == store.OperationRunning {
		return link, op.ID, nil
	}
	s.Unified.Forget(link.ConnectionID)
	ctx = context.WithoutCancel(ctx)
	if id, unread := idOf(op.Answer); op.State != store.OperationDone || unread != nil { // a delete has no id, nor has an answer that was erased
		err = s.Store.Provisioned.Abandon(ctx, link)
	} else {
		if link.ObjectID = id; link.ID == "" {
			link.ID = id
		}
		link.DeletedAt = time.Time{}
		err = s.Store.Provisioned.End(ctx, link)
	}
	link.Changing = ""
	return link, "", err
}

// idOf reads the id of the object of a write's answer.
func idOf(answer json.RawMessage) (string, error) {
	var made struct{ ID string }
	if err := json.Unmarshal(answer, &made); err != nil || made.ID == "" {
		return "", errors.New("it has no id")
	}
	return made.ID, nil
}

func isConflict(err error) bool {
	var u *unified.Error
	return errors.As(err, &u) && u.StatusCode == http.StatusConflict
}

// write carries out a write of the unified API. operation is its id; empty for a new one.
// A repeat waits for the first.
func (s *Service) write(ctx context.Context, c *Caller, r unify.WriteRequest, content map[string]any, operation string) (*unify.Written, error) {
	if content != nil {
		text, err := json.Marshal(content)
		if err != nil {
			return nil, fmt.Errorf("encode a write: %w", err)
		}
		r.Body = text
	}
	if operation == "" {
		operation = uuid.NewString()
	}
	r.Model = unified.ModelDirectory
	written, err := s.Unified.Write(ctx, unify.Write{Account: c.Account, Shop: c.Shop, Key: "scim-" + operation, Operation: operation, WriteRequest: r, Wait: s.Wait, Join: true})
	if err == nil && written.Fresh && c.Wrote != nil {
		c.Wrote(r, written)
	}
	return written, err
}

// stillRunningError is the error of a write that takes longer than a request waits.
type stillRunningError struct{ operation string }

func (e *stillRunningError) Error() string {
	return "Dixa has not answered yet. The change is stored as operation " + e.operation + " and is carried out; ask again later."
}

func isRunning(err error) bool {
	var e *stillRunningError
	return errors.As(err, &e)
}

// outcome returns the answer of a write as JSON, or its error.
func outcome(written *unify.Written) (json.RawMessage, error) {
	switch written.State {
	case store.OperationRunning:
		return nil, &stillRunningError{written.ID}
	case store.OperationDone:
		return written.Answer, nil
	default:
		u := &unified.Error{}
		if err := json.Unmarshal(written.Answer, u); err != nil || u.StatusCode == 0 {
			u = unified.NewError(max(written.Status, http.StatusInternalServerError), "The change failed as operation "+written.ID+".")
		}
		return nil, ofUnified(u)
	}
}
