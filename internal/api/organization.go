package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// InConnection names a connection to a Dixa organization.
type InConnection struct {
	Connection string `path:"connection" doc:"The id of the connection to a Dixa organization, as in GET /v1/connections and in a shop's connection."`
}

// InSource names a data source of a connection.
type InSource struct {
	InConnection
	Source string `path:"source" doc:"The id of the data source."`
}

// InImport names an import of a connection.
type InImport struct {
	InConnection
	Import string `path:"import" doc:"The id of the import."`
}

// admitConnection reports whether a key that is limited to a shop may access everything of
// a connection. Its data is that of the whole organization.
func (a *api) admitConnection(ctx context.Context, key *claim.Key, connectionID string) error {
	shared, err := a.usesConnection(ctx, key, connectionID)
	if err == nil && shared {
		return newProblem(http.StatusForbidden, "", "The API key is limited to shop "+key.Shop+
			", but the Dixa organization serves other shops too or did before, and its data cannot be divided by shop. Use a platform key.")
	}
	return err
}

// usesConnection returns an error if the shop of a key does not use a connection, and
// whether other shops use it or did before.
func (a *api) usesConnection(ctx context.Context, key *claim.Key, connectionID string) (shared bool, err error) {
	shops, err := a.Store.Connections.Shops(ctx, connectionID)
	if err != nil {
		return false, err
	}
	if !slices.Contains(shops, key.Shop) {
		return false, newProblem(http.StatusForbidden, "", "The API key is limited to shop "+key.Shop+", which does not use this connection.")
	}
	connection, err := a.Store.Connections.Get(ctx, connectionID)
	return connection.Shared, err
}

func (a *api) listConnections(ctx context.Context, _ *struct{}) (*body[client.ConnectionList], error) {
	connections, err := a.Store.Connections.List(ctx)
	list := client.ConnectionList{Connections: []client.ConnectionSummary{}}
	for _, c := range connections {
		list.Connections = append(list.Connections, client.ConnectionSummary{
			ID: c.ID, OrganizationID: c.OrganizationID, OrganizationName: c.OrganizationName, State: c.State, Shops: notNil(c.Shops),
		})
	}
	return ok(list, err)
}

// knownConnection returns an error if the connection does not exist.
func (a *api) knownConnection(ctx context.Context, id string) error {
	_, err := a.Store.Connections.Get(ctx, id)
	return err
}

func (a *api) listSources(ctx context.Context, in *InConnection) (*body[client.SourceList], error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	sources, err := a.Store.DataSources.List(ctx, in.Connection)
	return ok(client.SourceList{Sources: notNil(sources)}, err)
}

func (a *api) getSource(ctx context.Context, in *InSource) (*body[claim.DataSource], error) {
	return ok(a.Store.DataSources.Get(ctx, in.Connection, in.Source))
}

type newSourceInput struct {
	InConnection
	Body claim.DataSource
}

func (a *api) createSource(ctx context.Context, in *newSourceInput) (*body[claim.DataSource], error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	d := in.Body
	if err := checkSource(&d); err != nil {
		return nil, err
	}
	created, err := a.Store.DataSources.Create(ctx, in.Connection, d)
	recordChange(ctx, "id", created.ID)
	recordSource(ctx, d)
	return ok(created, err)
}

type sourceInput struct {
	InSource
	Body claim.DataSource
}

func (a *api) replaceSource(ctx context.Context, in *sourceInput) (*body[claim.DataSource], error) {
	stored, err := a.Store.DataSources.Get(ctx, in.Connection, in.Source)
	if err != nil {
		return nil, err
	}
	d := in.Body
	if err := checkSource(&d); err != nil {
		return nil, err
	}
	d.ID, d.CreatedAt = stored.ID, stored.CreatedAt
	recordSource(ctx, d)
	return ok(a.Store.DataSources.Update(ctx, in.Connection, d))
}

func (a *api) deleteSource(ctx context.Context, in *InSource) (*struct{}, error) {
	return nil, a.Store.DataSources.Delete(ctx, in.Connection, in.Source)
}

// checkSource validates a data source, and clears what the store sets.
func checkSource(d *claim.DataSource) error {
	d.ID, d.CreatedAt, d.UpdatedAt = "", time.Time{}, time.Time{}
	fieldErrors := claim.ValidateStruct(d)
	var names []string
	for _, stream := range claim.Streams() {
		if d.Has(stream) {
			names = append(names, claim.RecordFields(stream)...)
		}
	}
	for i, name := range d.Fields {
		if !slices.Contains(names, name) {
			fieldErrors = append(fieldErrors, claim.FieldError{Field: fmt.Sprintf("fields[%d]", i), Problem: "must be a member of the records of a selected stream"})
		}
	}
	if d.From.After(time.Now()) {
		fieldErrors = append(fieldErrors, claim.FieldError{Field: "from", Problem: "must not be in the future"})
	}
	if len(fieldErrors) > 0 {
		return &claim.InvalidError{What: "data source", Errors: fieldErrors}
	}
	return nil
}

func recordSource(ctx context.Context, d claim.DataSource) {
	recordChange(ctx, "title", d.Title)
	recordChange(ctx, "streams", join(d.Streams))
	recordChange(ctx, "channels", strings.Join(d.Channels, ", "))
	recordChange(ctx, "queue_ids", strings.Join(d.QueueIDs, ", "))
	recordChange(ctx, "from", instant(d.From))
	if d.RetentionDays > 0 {
		recordChange(ctx, "retention_days", fmt.Sprint(d.RetentionDays))
	}
}

// noTemporal refuses a command that needs Temporal on a service without it.
func noTemporal() error {
	return newProblem(http.StatusServiceUnavailable, "", "This service has no Temporal connection, so it cannot run imports.")
}

type startImportInput struct {
	InConnection
	Body *claim.ImportRequest
}

type startImportOutput struct {
	Status int
	Body   client.ImportRequested
}

// importAnswers documents the second success status.
func importAnswers(r *route) {
	r.document = func(_ huma.API, op *huma.Operation) {
		op.Responses["202"].Description = "An import starts."
		op.Responses["200"] = &huma.Response{Description: "An import is running or paused; no other one was started.", Content: op.Responses["202"].Content}
	}
}

func (a *api) startImport(ctx context.Context, in *startImportInput) (*startImportOutput, error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	request := orZero(in.Body)
	if fieldErrors := claim.ValidateStruct(&request); len(fieldErrors) > 0 {
		return nil, &claim.InvalidError{What: "import", Errors: fieldErrors}
	}
	for field, at := range map[string]time.Time{"from": request.From, "to": request.To} {
		if y := at.UTC().Year(); !at.IsZero() && (y < 1 || y > 9999) {
			return nil, invalid("import", field, "must be in the years 1 to 9999, in UTC")
		}
	}
	if !request.To.IsZero() && !request.From.Before(request.To) {
		return nil, invalid("import", "to", "must be after from")
	}
	current, err := a.Store.Imports.Current(ctx, in.Connection)
	if err == nil {
		return &startImportOutput{http.StatusOK, client.ImportRequested{State: current.State, Import: &current}}, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	sources, err := a.Store.DataSources.List(ctx, in.Connection)
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, newProblem(http.StatusConflict, "", "The connection has no data source, so there is nothing to import. Create one with `starter source create`.")
	}
	last, err := a.Store.Imports.List(ctx, in.Connection, 1)
	if err != nil {
		return nil, err
	}
	if a.Import == nil {
		return nil, noTemporal()
	}
	if err := a.Import(ctx, in.Connection, request); err != nil {
		note(ctx, err)
		return nil, newProblem(http.StatusServiceUnavailable, "", "Temporal is unavailable, so no import was started. It is safe to retry.")
	}
	recordChange(ctx, "streams", join(request.Streams))
	recordChange(ctx, "from", instant(request.From))
	recordChange(ctx, "to", instant(request.To))
	started := client.ImportRequested{State: client.ImportStarting}
	if len(last) > 0 {
		started.LastID = last[0].ID
	}
	return &startImportOutput{http.StatusAccepted, started}, nil
}

type importsInput struct {
	InConnection
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"The number of imports."`
}

func (a *api) listImports(ctx context.Context, in *importsInput) (*body[client.ImportList], error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	imports, err := a.Store.Imports.List(ctx, in.Connection, in.Limit)
	return ok(client.ImportList{Imports: notNil(imports)}, err)
}

func (a *api) getImport(ctx context.Context, in *InImport) (*body[claim.Import], error) {
	return ok(a.Store.Imports.Get(ctx, in.Connection, in.Import))
}

func (a *api) pauseImport(ctx context.Context, in *InImport) (*body[claim.Import], error) {
	return a.moveImport(ctx, in, claim.ImportPaused)
}

func (a *api) resumeImport(ctx context.Context, in *InImport) (*body[claim.Import], error) {
	return a.moveImport(ctx, in, claim.ImportRunning)
}

func (a *api) cancelImport(ctx context.Context, in *InImport) (*body[claim.Import], error) {
	return a.moveImport(ctx, in, claim.ImportCancelled)
}

// moveImport changes the state of an import and makes its workflow read it.
func (a *api) moveImport(ctx context.Context, in *InImport, state claim.ImportState) (*body[claim.Import], error) {
	if a.WakeImport == nil {
		return nil, noTemporal()
	}
	if err := a.Store.Imports.SetState(ctx, in.Connection, in.Import, state); err != nil {
		return nil, err
	}
	if err := a.WakeImport(ctx, in.Connection); err != nil {
		note(ctx, err)
		return nil, newProblem(http.StatusServiceUnavailable, "", "The import is "+string(state)+" in the store, but Temporal is unavailable, so the worker may notice it late. It is safe to retry.")
	}
	return ok(a.Store.Imports.Get(ctx, in.Connection, in.Import))
}

func (a *api) getExportsToken(ctx context.Context, in *InConnection) (*body[client.ExportsToken], error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	preview, err := a.Store.Connections.ExportsTokenPreview(ctx, in.Connection)
	return ok(client.ExportsToken{Preview: preview}, err)
}

type exportsTokenInput struct {
	InConnection
	RawBody []byte `contentType:"application/json"`
}

func (a *api) saveExportsToken(ctx context.Context, in *exportsTokenInput) (*body[client.ExportsToken], error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	// Parsed by hand because the router's own errors would reveal the value.
	var request client.TokenRequest
	if err := json.Unmarshal(in.RawBody, &request); err != nil {
		return nil, invalid("token", "token", `must have the form {"token": "…"}`)
	}
	if _, err := dixa.New(request.Token); errors.Is(err, dixa.ErrTokenFormat) {
		return nil, newProblem(http.StatusUnprocessableEntity, client.CodeTokenMalformed, sentence(err.Error())+"; nothing was saved.")
	}
	if err := a.Store.Connections.SaveExportsToken(ctx, in.Connection, request.Token); err != nil {
		return nil, err
	}
	saved, err := a.getExportsToken(ctx, &in.InConnection)
	if err == nil {
		recordChange(ctx, "preview", saved.Body.Preview)
	}
	return saved, err
}

func (a *api) removeExportsToken(ctx context.Context, in *InConnection) (*struct{}, error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	return nil, a.Store.Connections.SaveExportsToken(ctx, in.Connection, "")
}
