package activities

import (
	"context"
	"errors"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// ImportStore holds the steps of an import that use nothing but the store.
type ImportStore struct{ Store *store.Store }

// EndWindow is the input of [ImportStore.ParkWindow].
type EndWindow struct {
	ConnectionID string             `json:"connection_id"`
	ImportID     string             `json:"import_id"`
	Window       claim.ImportWindow `json:"window"`
	Why          string             `json:"why"`
}

// ParkWindow gives a window up, unless it has ended. The import continues with the others.
func (a *ImportStore) ParkWindow(ctx context.Context, in EndWindow) error {
	result := store.WindowResult{State: claim.WindowParked, Why: in.Why}
	err := a.Store.Imports.FinishWindow(ctx, in.ConnectionID, in.ImportID, in.Window, result)
	if errors.Is(err, store.ErrWindowEnded) {
		err = nil
	}
	return toTemporal("park the window", err)
}

// CancelImport ends an import that cannot continue.
func (a *ImportStore) CancelImport(ctx context.Context, in ImportRef) error {
	err := a.Store.Imports.SetState(ctx, in.ConnectionID, in.ImportID, claim.ImportCancelled)
	var ended *store.ImportStateError
	if errors.As(err, &ended) {
		err = nil
	}
	return toTemporal("end the import", err)
}

// ImportRef identifies an import.
type ImportRef struct {
	ConnectionID string `json:"connection_id"`
	ImportID     string `json:"import_id"`
}

// ImportState is what an import has to do next.
type ImportState struct {
	Import claim.Import `json:"import"`
	// Next are the next windows.
	Next []claim.ImportWindow `json:"next,omitempty"`
}

// windowsAhead is how many windows the workflow reads at once.
const windowsAhead = 20

// LoadImport reads the state of an import and its next windows.
func (a *ImportStore) LoadImport(ctx context.Context, in ImportRef) (ImportState, error) {
	var out ImportState
	i, err := a.Store.Imports.Get(ctx, in.ConnectionID, in.ImportID)
	if errors.Is(err, store.ErrNotFound) {
		return ImportState{Import: claim.Import{ID: in.ImportID, ConnectionID: in.ConnectionID, State: claim.ImportCancelled}}, nil
	}
	if err != nil {
		return out, toTemporal("read the import", err)
	}
	for _, w := range i.Windows {
		if w.State == claim.WindowWaiting && len(out.Next) < windowsAhead {
			out.Next = append(out.Next, w)
		}
	}
	i.Windows = nil
	out.Import = i
	return out, nil
}
