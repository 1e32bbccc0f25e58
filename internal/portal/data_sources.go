package portal

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// sourceForm is what the form of a data source shows.
type sourceForm struct {
	form
	// ID is empty for a new source.
	ID string
	// Chosen are the values of the lists, by field.
	Chosen  map[string][]string
	Streams []sourceStream
	// Channels and Queues are what the filters offer. QueuesFault says why Dixa's queues are
	// unknown.
	Channels    []string
	Queues      []claim.Choice
	QueuesFault string
	Dates       []claim.RecordDate
}

// sourceStream is a stream with the members of its records.
type sourceStream struct {
	Stream claim.Stream
	Fields []string
}

var (
	sourceFields = []string{"title", "date", "from", "retention_days", "keep_figures", "streams", "fields", "channels", "queue_ids"}
	sourceLists  = []string{"streams", "fields", "channels", "queue_ids"}
)

// dixaChannels are the channels of conversations that Dixa names.
func dixaChannels() []string {
	return []string{
		"Email", "ContactForm", "WidgetChat", "Messenger",
		"FacebookMessenger", "WhatsApp", "Sms", "Twitter",
		"PstnPhone", "Callback", "Voicemail",
	}
}

func (v *visit) newSource(string) error {
	return v.showSourceForm(http.StatusOK, sourceForm{form: form{Values: map[string]string{"date": string(claim.DateCreated)}}})
}

func (v *visit) showSourceForm(status int, d sourceForm) error {
	d.Dates, d.Channels = claim.RecordDates(), dixaChannels()
	for _, stream := range claim.Streams() {
		d.Streams = append(d.Streams, sourceStream{stream, claim.RecordFields(stream)})
	}
	for _, name := range d.Chosen["channels"] {
		if !slices.ContainsFunc(d.Channels, func(c string) bool { return strings.EqualFold(c, name) }) {
			d.Channels = append(d.Channels, name)
		}
	}
	choices, err := v.choices(v.r.Context())
	if err != nil {
		d.QueuesFault = v.faultOf(err)
	}
	d.Queues = choices.Queues
	for _, id := range d.Chosen["queue_ids"] {
		d.Queues = withChosen(d.Queues, id)
	}
	title := "source.edit.title"
	if d.ID == "" {
		title = "source.new.title"
	}
	v.show(status, "source-form", view{Title: v.words.say(title), Data: d})
	return nil
}

// sourceOfForm reads the form of a data source. stored is the source that it replaces.
func (v *visit) sourceOfForm(stored claim.DataSource) (d claim.DataSource, faults map[string]string) {
	value := func(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }
	faults = map[string]string{}
	d = claim.DataSource{
		ID: stored.ID, Title: value("title"), Date: claim.RecordDate(value("date")), KeepFigures: value("keep_figures") != "",
		Fields: v.list("fields"), Channels: v.list("channels"), QueueIDs: v.list("queue_ids"),
	}
	for _, stream := range v.list("streams") {
		d.Streams = append(d.Streams, claim.Stream(stream))
	}
	// A day is one in UTC, so that a form that is saved again changes nothing.
	from, ok := timeOfForm(value("from"), time.UTC)
	if d.From = from; !ok {
		faults["from"] = v.words.say("fault.source.from")
	}
	if dateOf(stored.From) == dateOf(from) {
		d.From = stored.From
	}
	if days := value("retention_days"); days != "" {
		var err error
		if d.RetentionDays, err = strconv.Atoi(days); err != nil {
			faults["retention_days"] = v.words.say("fault.source.retention_days")
		}
	}
	return d, faults
}

func dateOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func (v *visit) addSource(connection string) error {
	d, faults := v.sourceOfForm(claim.DataSource{})
	if len(faults) > 0 {
		return v.shownAgain("", faults, "")
	}
	created, err := v.api.CreateDataSource(v.r.Context(), connection, d)
	if err != nil {
		return v.refusedSource(err, "")
	}
	return v.done("data/sources/"+created.ID, "source_added")
}

// refusedSource shows the form of a source again.
func (v *visit) refusedSource(err error, id string) error {
	return v.refusedFields(err, "fault.source.", sourceFields, func(f form) error { return v.shownAgain(id, f.Faults, f.Summary) })
}

// shownAgain shows the form of a source as it was filled in, with what is wrong with it.
func (v *visit) shownAgain(id string, faults map[string]string, summary string) error {
	d := sourceForm{ID: id, form: form{Values: map[string]string{}, Faults: faults, Summary: summary}, Chosen: map[string][]string{}}
	for _, name := range sourceFields {
		d.Values[name] = v.r.PostFormValue(name)
	}
	for _, name := range sourceLists {
		d.Chosen[name] = v.list(name)
	}
	return v.showSourceForm(http.StatusUnprocessableEntity, d)
}

func (v *visit) editSource(connection string) error {
	s, err := v.api.DataSource(v.r.Context(), connection, v.r.PathValue("source"))
	if err != nil {
		return err
	}
	d := sourceForm{
		ID:     s.ID,
		Chosen: map[string][]string{"fields": s.Fields, "channels": s.Channels, "queue_ids": s.QueueIDs},
		form: form{Values: map[string]string{
			"title": s.Title, "date": string(s.Date), "from": dateOf(s.From),
		}},
	}
	for _, stream := range s.Streams {
		d.Chosen["streams"] = append(d.Chosen["streams"], string(stream))
	}
	if s.RetentionDays > 0 {
		d.Values["retention_days"] = strconv.Itoa(s.RetentionDays)
	}
	if s.KeepFigures {
		d.Values["keep_figures"] = "1"
	}
	return v.showSourceForm(http.StatusOK, d)
}

func (v *visit) saveSource(connection string) error {
	stored, err := v.api.DataSource(v.r.Context(), connection, v.r.PathValue("source"))
	if err != nil {
		return err
	}
	d, faults := v.sourceOfForm(stored)
	if len(faults) > 0 {
		return v.shownAgain(stored.ID, faults, "")
	}
	if _, err := v.api.ReplaceDataSource(v.r.Context(), connection, d); err != nil {
		return v.refusedSource(err, stored.ID)
	}
	return v.done("data/sources/"+url.PathEscape(stored.ID), "source_saved")
}

func (v *visit) deleteSource(connection string) error {
	if err := v.api.DeleteDataSource(v.r.Context(), connection, v.r.PathValue("source")); err != nil {
		return err
	}
	return v.done("data", "source_deleted")
}
