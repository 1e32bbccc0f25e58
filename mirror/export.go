package mirror

import (
	"bytes"
	"cmp"
	"encoding/json"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

// readStamp is the stamp of a fact that was read from Dixa. Dixa does not say as of
// when an answer is, so it is as of the newest time in it. Of two reads with the
// same times, the later wins.
func readStamp(source string, readAt time.Time, times ...time.Time) claim.Stamp {
	return claim.Stamp{
		At: newest(times...).UTC(), Weight: claim.WeightRefreshed,
		ID: "read:" + readAt.UTC().Format("2006-01-02T15:04:05.000000000Z") + ":" + source,
	}
}

func newest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// ConversationFromExport returns what a row of the conversation export says, read at
// readAt. A row is complete: what it lacks does not exist.
//
// Dixa: GET /v1/conversation_export.
func ConversationFromExport(row *dixa.ExportedConversation, readAt time.Time) Fact {
	f := Fact{Ratings: ratingsFromExport(row.Ratings), AnonymizedAt: row.AnonymizedAt.Time}
	times := []time.Time{
		row.CreatedAt.Time, row.UpdatedAt.Time, row.LastMessageCreatedAt.Time, row.QueuedAt.Time, row.AssignedAt.Time,
		row.ClosedAt.Time, row.AnonymizedAt.Time,
	}
	for _, r := range f.Ratings {
		times = append(times, r.CreatedAt, r.OfferedAt, r.RatedAt)
	}
	f.Fact = claim.Fact{
		Stamp: readStamp("export", readAt, times...), Status: Status(dixa.ConversationState(row.Status)),
		People: true, Assignee: personOf(row.AssigneeID, row.AssigneeName), Requester: personOf(row.RequesterID, row.RequesterName),
		Queue: queueOf(row.QueueID, row.QueueName), Tags: []string{}, Rating: newestRating(f.Ratings),
	}
	if f.Rating == nil && row.RatingScore != nil {
		f.Rating = &claim.Rating{Score: *row.RatingScore, Comment: row.RatingMessage, At: f.At}
	}
	f.Origin = &Origin{
		CreatedAt: row.CreatedAt.Time, Channel: channel(row.InitialChannel), Direction: direction(row.Direction),
		ContactPoint: exportedContactPoint(row), Subject: row.Subject, Email: row.RequesterEmail, Phone: row.RequesterPhoneNumber,
	}
	f.Reported = &Reported{
		UpdatedAt: row.UpdatedAt.Time, QueuedAt: row.QueuedAt.Time, AssignedAt: row.AssignedAt.Time, ClosedAt: row.ClosedAt.Time,
		LastMessageAt: row.LastMessageCreatedAt.Time, TotalDuration: row.TotalDuration, HandlingDuration: row.HandlingDuration,
		Notes: len(row.WrapupNotes),
	}
	for _, name := range row.Tags {
		f.addTag(name)
	}
	for _, t := range row.TagsInfo {
		if f.addTag(t.Name) {
			f.describeTag(t.Name, TagInfo{ID: t.ID, Deactivated: t.IsDeactivated})
		}
	}
	f.Attributes = map[string]Attribute{}
	for _, field := range row.CustomFields {
		f.setAttribute(field.AttributeID, field.Identifier, field.Value)
	}
	return f
}

// exportedContactPoint is the shop's mailbox, number, page or widget of a row.
func exportedContactPoint(row *dixa.ExportedConversation) string {
	number := "to_provisioned_phone_number_id"
	if direction(row.Direction) == claim.DirectionOutbound {
		number = "from_provisioned_phone_number_id"
	}
	return cmp.Or(row.EmailIntegrationID, textOf(row.Extra[number]), textOf(row.Extra["widget_id"]), textOf(row.Extra["facebook_page_id"]))
}

func ratingsFromExport(rows []dixa.ExportedRating) []Rating {
	ratings := make([]Rating, 0, len(rows))
	for _, row := range rows {
		r := Rating{
			Type: ratingType(row.Type), Status: ratingStatus(row.Status), Score: row.Score, Comment: row.Message,
			CreatedAt: row.CreatedAt.Time, OfferedAt: row.OfferedAt.Time, RatedAt: row.RatedAt.Time,
		}
		if r.Status == "" && r.Score != nil {
			r.Status = RatingStatusRated
		}
		if r.RatedAt.IsZero() && r.Status == RatingStatusRated {
			var modified dixa.Time
			if json.Unmarshal(row.Extra["rating_modified_timestamp"], &modified) == nil {
				r.RatedAt = modified.Time
			}
		}
		ratings = append(ratings, r)
	}
	return ratings
}

// newestRating is the newest rating with a score.
func newestRating(ratings []Rating) *claim.Rating {
	var last *claim.Rating
	for _, r := range ratings {
		if r.Score == nil || r.Status != RatingStatusRated {
			continue
		}
		if last == nil || !r.RatedAt.Before(last.At) { // times may have whole seconds only
			last = &claim.Rating{Score: *r.Score, Comment: r.Comment, At: r.RatedAt}
		}
	}
	return last
}

// MessageFromExport returns a row of the message export, read at readAt. ok is false
// if the row lacks a usable id or conversation.
//
// Dixa: GET /v1/message_export.
func MessageFromExport(row *dixa.ExportedMessage, readAt time.Time) (m Message, ok bool) {
	m = Message{
		Message: claim.Message{
			ID: row.ID, Kind: claim.MessageKind, Direction: direction(row.Direction), Channel: channel(row.InitialChannel),
			At: row.CreatedAt.Time, Text: row.Text, Automated: row.IsAutomatedMessage,
		},
		ConversationID: row.ConversationID, AuthorEmail: row.AuthorEmail, AutomatedKnown: true,
		From: cmp.Or(row.From, textOf(row.Extra["from_phone_number"])), To: filled(row.To), CC: filled(row.CC), BCC: filled(row.BCC),
		Version: Version{Source: FromExport, ReadAt: readAt.UTC()},
	}
	if row.AuthorName != "" {
		m.Author = &claim.Person{Name: row.AuthorName}
	}
	if to := textOf(row.Extra["to_phone_number"]); len(m.To) == 0 && to != "" {
		m.To = []string{to}
	}
	for i, file := range row.AttachedFiles {
		m.Attachments = append(m.Attachments, claim.MessageAttachment{ID: strconv.Itoa(i + 1), Name: fileName(file), Source: file})
	}
	if m.Text == "" {
		m.BlankAt = m.ReadAt
	}
	return m, claim.IsID(m.ID) && m.ConversationID > 0
}

// fileName is the last segment of a URL without its query.
func fileName(url string) string {
	url, _, _ = strings.Cut(url, "?")
	if name := path.Base(url); name != "." && name != "/" {
		return name
	}
	return ""
}

// addTag adds a tag by name. It is false if the name is empty.
func (f *Fact) addTag(name string) bool {
	if name == "" {
		return false
	}
	for _, known := range f.Tags {
		if known == name {
			return true
		}
	}
	f.Tags = append(f.Tags, name)
	return true
}

func (f *Fact) describeTag(name string, info TagInfo) {
	if f.TagInfo == nil {
		f.TagInfo = map[string]TagInfo{}
	}
	f.TagInfo[name] = info
}

// setAttribute adds the value of an attribute; null means that it has none.
func (f *Fact) setAttribute(id, identifier string, value json.RawMessage) {
	var compact bytes.Buffer
	if id == "" || json.Compact(&compact, value) != nil || compact.String() == "null" {
		return
	}
	f.Attributes[id] = Attribute{Identifier: identifier, Value: compact.Bytes()}
}

func personOf(id, name string) *claim.Person {
	if id == "" {
		return nil
	}
	return &claim.Person{ID: id, Name: name}
}

func queueOf(id, name string) *claim.Queue {
	if id == "" {
		return nil
	}
	return &claim.Queue{ID: id, Name: name}
}

// textOf is a JSON string's value; empty for any other JSON.
func textOf(raw []byte) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	text, _ := jsontext.AppendUnquote(nil, raw) // the error says that invalid UTF-8 was replaced
	return string(text)
}

// filled returns the texts that are not empty; nil if there are none.
func filled(texts []string) []string {
	var out []string
	for _, t := range texts {
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}
