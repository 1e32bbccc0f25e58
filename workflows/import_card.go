package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/claim"
)

// summaryOf describes a window in the Temporal UI.
func summaryOf(w claim.ImportWindow) string {
	if w.Stream == claim.StreamDirectory {
		return "Import the directory"
	}
	return fmt.Sprintf("Import %s, %s to %s", w.Stream, w.From.UTC().Format(time.DateOnly), w.To.UTC().Format(time.DateOnly))
}

var (
	connectionKey  = temporal.NewSearchAttributeKeyKeyword(claim.AttributeConnection)
	importStateKey = temporal.NewSearchAttributeKeyKeyword(claim.AttributeImportState)
)

// show shows the progress in the Temporal UI.
func (r *importRun) show(ctx workflow.Context) {
	i := r.state.Import
	text := fmt.Sprintf("**%s** by %s: %d of %d windows, %d parked\n\n%d rows read, %d added, %d changed, %d not selected, %d set aside, %d requests",
		i.State, i.Access, i.WindowsDone, i.WindowsTotal, i.WindowsParked, i.Read, i.Added, i.Changed, i.Excluded, i.Rejected, i.Requests)
	if i.Why != "" {
		text += "\n\n" + i.Why
	}
	workflow.SetCurrentDetails(ctx, text)
	now := workflow.GetTypedSearchAttributes(ctx)
	if shown, _ := now.GetKeyword(importStateKey); shown == string(i.State) {
		return
	}
	err := workflow.UpsertTypedSearchAttributes(ctx, connectionKey.ValueSet(i.ConnectionID), importStateKey.ValueSet(string(i.State)))
	if err != nil {
		workflow.GetLogger(ctx).Warn("cannot set the search attributes of the import", "error", err)
	}
}
