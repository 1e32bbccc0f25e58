package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (p *Portal) dataRoutes() {
	const (
		page    = claim.PageData
		may     = claim.MayConfigure
		operate = claim.MayOperate
		source  = "data/sources/{source}"
		run     = "data/imports/{import}"
	)
	p.livePage(page, "data", (*visit).data)
	p.page(page, "POST data/token", may, ofOrganization((*visit).saveExportsToken))
	p.page(page, "POST data/token/remove", may, ofOrganization((*visit).removeExportsToken))
	p.page(page, "POST data/imports", operate, ofOrganization((*visit).startImport))
	p.page(page, "POST data/imports/retry", operate, ofOrganization((*visit).retryImport))
	p.livePage(page, run, ofOrganization((*visit).importPage))
	p.page(page, "POST "+run+"/{verb}", operate, ofOrganization((*visit).moveImport))
	p.page(page, "GET data/sources/new", may, ofOrganization((*visit).newSource))
	p.page(page, "POST data/sources/new", may, ofOrganization((*visit).addSource))
	p.page(page, "GET "+source, "", ofOrganization((*visit).records))
	p.page(page, "GET "+source+"/records.csv", "", ofOrganization((*visit).recordsCSV))
	p.page(page, "GET "+source+"/edit", may, ofOrganization((*visit).editSource))
	p.page(page, "POST "+source+"/edit", may, ofOrganization((*visit).saveSource))
	p.page(page, "POST "+source+"/delete", may, ofOrganization((*visit).deleteSource))
}

// ofOrganization returns the handler of a page about the organization's data, for the id
// of its connection. If the session cannot have that data, the first page says why.
func ofOrganization(serve func(v *visit, connection string) error) func(*visit) error {
	return func(v *visit) error {
		shop, err := v.api.Shop(v.r.Context(), v.session.Shop)
		if err != nil {
			return err
		}
		if shop.Connection == nil {
			return v.redirect("data")
		}
		err = serve(v, shop.Connection.ID)
		if isForbidden(err) {
			return v.redirect("data")
		}
		return err
	}
}

// isForbidden reports whether the API refused access. To the data of an organization it
// does if other shops use it too.
func isForbidden(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Status == http.StatusForbidden
}

// dataData is what the page of the organization's data shows.
type dataData struct {
	// Why is the key of the reason why there is no data.
	Why string
	// NeedsToken says that Dixa refuses the token of the connection.
	NeedsToken bool
	Sources    []claim.DataSource
	// Current is the import that runs or is paused, Past are the others, newest first.
	Current *importView
	Past    []importView
	Streams []claim.Stream
	// Parked says that the newest import parked windows.
	Parked bool
	// Asked is what became of the import that the person asked for, and AskedKey the key of
	// these words; empty for nothing to say.
	Asked, AskedKey string
	Token           client.ExportsToken
	// Start and Save are the forms of an import and of the token. Chosen are the streams
	// that are chosen for the import.
	Start, Save form
	Chosen      []string
}

// importsShown is how many imports the page lists.
const importsShown = 20

func (v *visit) data() error { return v.showData(http.StatusOK, func(*dataData) {}) }

// showData shows the page with what change adds to it.
func (v *visit) showData(status int, change func(*dataData)) error {
	ctx := v.r.Context()
	shop, err := v.api.Shop(ctx, v.session.Shop)
	if err != nil {
		return err
	}
	d := dataData{Streams: claim.Streams()}
	if shop.Connection == nil {
		d.Why = "data.none"
	} else {
		d.NeedsToken = shop.Connection.State != claim.ConnectionActive
		err = v.addData(&d, shop.Connection.ID)
		if isForbidden(err) {
			d.Why, err = "data.shared", nil
		}
		if err != nil {
			return err
		}
	}
	change(&d)
	v.show(status, "data", view{Title: v.words.say("page.data"), Live: true, Data: d})
	return nil
}

func (v *visit) addData(d *dataData, connection string) (err error) {
	ctx := v.r.Context()
	if d.Sources, err = v.api.DataSources(ctx, connection); err != nil {
		return err
	}
	imports, err := v.api.Imports(ctx, connection, importsShown)
	if err != nil {
		return err
	}
	seen := make([]importView, len(imports))
	for i := range imports {
		seen[i] = v.viewOf(imports[i])
		if d.Current == nil && seen[i].Runs() {
			d.Current = &seen[i]
		} else {
			d.Past = append(d.Past, seen[i])
		}
	}
	if after := v.r.URL.Query().Get("after"); after != "" {
		key, asked := askedFor(seen, after)
		d.AskedKey = key
		switch key {
		case "":
		case askedDone:
			d.Asked = v.words.say(key, v.words.number(asked.Added), v.words.number(asked.Changed))
		default:
			d.Asked = v.words.say(key)
		}
	}
	d.Parked = d.Current == nil && len(imports) > 0 && imports[0].WindowsParked > 0
	d.Token, err = v.api.ExportsToken(ctx, connection)
	return err
}

func (v *visit) saveExportsToken(connection string) error {
	_, err := v.api.SaveExportsToken(v.r.Context(), connection, strings.TrimSpace(v.r.PostFormValue("exports_token")))
	if err == nil {
		return v.done("data", "exports_token")
	}
	// A token is never shown again, not even the one that was refused.
	return v.refusedForm(err, nil, func(f form) error {
		return v.showData(http.StatusUnprocessableEntity, func(d *dataData) { d.Save = f })
	})
}

func (v *visit) removeExportsToken(connection string) error {
	if err := v.api.RemoveExportsToken(v.r.Context(), connection); err != nil {
		return err
	}
	return v.done("data", "exports_token_removed")
}

// startImport starts an import of everything that is missing, or of a period or streams.
func (v *visit) startImport(connection string) error {
	fields := []string{"from", "to"}
	zone := v.zoneOfForm()
	f := form{Values: map[string]string{}, Faults: map[string]string{}}
	request := claim.ImportRequest{}
	var ok bool
	if request.From, ok = timeOfForm(v.r.PostFormValue("from"), zone); !ok {
		f.Faults["from"] = v.words.say("fault.import.from")
	}
	if request.To, ok = timeOfForm(v.r.PostFormValue("to"), zone); !ok {
		f.Faults["to"] = v.words.say("fault.import.from")
	}
	if !request.To.IsZero() {
		request.To = request.To.AddDate(0, 0, 1) // the last day is part of the period
	}
	for _, name := range fields {
		f.Values[name] = v.r.PostFormValue(name)
	}
	for _, stream := range v.list("streams") {
		request.Streams = append(request.Streams, claim.Stream(stream))
	}
	if len(f.Faults) > 0 {
		return v.showStart(http.StatusUnprocessableEntity, f)
	}
	return v.requestImport(connection, request, fields)
}

func (v *visit) showStart(status int, f form) error {
	return v.showData(status, func(d *dataData) { d.Start, d.Chosen = f, v.list("streams") })
}

// retryImport reads the windows again that the last import parked.
func (v *visit) retryImport(connection string) error {
	return v.requestImport(connection, claim.ImportRequest{Retry: true}, nil)
}

// requestImport starts an import. The page then says what becomes of it: of the first one
// after the newest that is known now.
func (v *visit) requestImport(connection string, request claim.ImportRequest, fields []string) error {
	known, err := v.api.Imports(v.r.Context(), connection, 1)
	if err != nil {
		return err
	}
	after := noImport
	if len(known) > 0 {
		after = known[0].ID
	}
	asked, err := v.api.StartImport(v.r.Context(), connection, request)
	switch {
	case err == nil && asked.Import != nil:
		return v.done("data", "import_runs")
	case err == nil:
		return v.redirect("data?after=" + url.QueryEscape(after))
	}
	return v.refusedFields(err, "fault.import.", fields, func(f form) error {
		v.explainImport(err, &f)
		return v.showStart(http.StatusUnprocessableEntity, f)
	})
}

// noImport stands for an import before the first.
const noImport = "none"

// Keys of the words about an import that a person asked for.
const (
	askedSoon    = "data.asked.soon"
	askedDone    = "data.asked.done"
	askedNothing = "data.asked.nothing"
	askedPartly  = "data.asked.partly"
)

// askedFor returns the import that the person asked for after another one, and the key of
// the words about it; empty while its progress is shown. The newest import comes first. The
// import is nil until it starts.
func askedFor(imports []importView, after string) (key string, asked *importView) {
	for i := range imports {
		if imports[i].ID == after {
			break
		}
		asked = &imports[i]
	}
	switch {
	case asked == nil:
		return askedSoon, nil
	case asked.Runs():
		return "", asked
	case asked.WindowsParked > 0, asked.State == claim.ImportCancelled:
		return askedPartly, asked
	case asked.Added == 0 && asked.Changed == 0:
		return askedNothing, asked
	}
	return askedDone, asked
}

// explainImport replaces the API's words for a command that the service cannot carry out.
func (v *visit) explainImport(err error, f *form) {
	var refused *client.Error
	if errors.As(err, &refused) && v.words.has("fault.import."+refused.Code) {
		f.Summary = v.words.say("fault.import." + refused.Code)
	}
}

// importPageData is what the page of an import shows.
type importPageData struct {
	importView
	// Parts are the windows by stream.
	Parts []importPart
	// Parked are the windows that failed, and Postponed those that are tried again, at most
	// a page of them.
	Parked, Postponed []claim.ImportWindow
	// Rejected are reasons why rows could not be read.
	Rejected []string
}

// importPart is a stream of an import.
type importPart struct {
	Stream claim.Stream
	claim.ImportProgress
}

// windowsShown bounds the lists of an import's page.
const windowsShown = 50

func (v *visit) importPage(connection string) error {
	i, err := v.api.Import(v.r.Context(), connection, v.r.PathValue("import"))
	if err != nil {
		return err
	}
	d := importPageData{importView: v.viewOf(i)}
	parts := map[claim.Stream]*importPart{}
	for _, w := range i.Windows {
		if parts[w.Stream] == nil {
			parts[w.Stream] = &importPart{Stream: w.Stream}
		}
		part := parts[w.Stream]
		part.Add(w.ImportCounts)
		part.WindowsTotal++
		switch w.State {
		case claim.WindowDone:
			part.WindowsDone++
		case claim.WindowParked:
			part.WindowsParked++
			if len(d.Parked) < windowsShown {
				d.Parked = append(d.Parked, w)
			}
		}
		if w.State == claim.WindowWaiting && w.Why != "" && len(d.Postponed) < windowsShown && d.Runs() {
			d.Postponed = append(d.Postponed, w)
		}
		for _, why := range w.Rejects {
			if len(d.Rejected) < windowsShown {
				d.Rejected = append(d.Rejected, shortened(why, 300))
			}
		}
	}
	for _, stream := range claim.Streams() {
		if part := parts[stream]; part != nil {
			d.Parts = append(d.Parts, *part)
		}
	}
	v.show(http.StatusOK, "import", view{Title: v.words.say("import.title"), Live: true, Data: &d})
	return nil
}

// moveImport pauses, resumes or cancels an import.
func (v *visit) moveImport(connection string) error {
	ctx, id, verb := v.r.Context(), v.r.PathValue("import"), v.r.PathValue("verb")
	moves := map[string]func() (claim.Import, error){
		"pause":  func() (claim.Import, error) { return v.api.PauseImport(ctx, connection, id) },
		"resume": func() (claim.Import, error) { return v.api.ResumeImport(ctx, connection, id) },
		"cancel": func() (claim.Import, error) { return v.api.CancelImport(ctx, connection, id) },
	}
	move, known := moves[verb]
	if !known {
		return errNotFound
	}
	if _, err := move(); err != nil {
		return v.refusedForm(err, nil, func(f form) error {
			v.explainImport(err, &f)
			return v.showData(http.StatusConflict, func(d *dataData) { d.Start = f })
		})
	}
	to := "data"
	if strings.Contains(v.r.PostFormValue("from"), "import") {
		to = "data/imports/" + url.PathEscape(id)
	}
	return v.done(to, "import_"+verb)
}
