package mirror_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

const worldID = 4711

// world is a conversation in Dixa as it changes, and what each source said of it.
type world struct {
	t   *testing.T
	r   *rand.Rand
	now time.Time // Dixa's clock

	created, updated, queued, assigned, closed, anonymized time.Time

	status, assignee, queue string
	tags                    []string
	ratings                 []*dixa.ExportedRating
	messages                []*worldMessage
	log                     []*dixa.Activity
	events                  int
	told                    []news
}

type worldMessage struct {
	id, author, direction, text string
	at                          time.Time
	automated, note             bool
}

// news is what one read or one event says.
type news struct {
	facts      []mirror.Fact
	messages   []mirror.Message
	activities []mirror.Activity
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 7)), now: nine, status: "OPEN", queue: "q-1"}
	w.created, w.queued, w.updated = nine, nine, nine
	w.happen("CONVERSATION_CREATED", "ConversationCreatedByCustomer", "u-1", nil, nil)
	w.say("u-1", "inbound", false)
	if w.r.IntN(2) == 0 {
		w.now = w.now.Add(700 * time.Millisecond)
		w.say("", "outbound", true)
	}
	for range 4 + w.r.IntN(12) {
		w.now = w.now.Add(time.Duration(4000+w.r.IntN(3_600_000)) * time.Millisecond)
		w.step()
		if w.r.IntN(4) == 0 {
			w.told = append(w.told, w.read(w.now.Add(time.Second))...)
		}
	}
	if w.r.IntN(4) == 0 {
		w.anonymize()
	}
	return w
}

func (w *world) step() {
	agent := fmt.Sprint("a-", 1+w.r.IntN(2))
	switch w.r.IntN(13) {
	case 0:
		w.say("u-1", "inbound", false)
	case 1:
		w.say(agent, "outbound", false)
	case 2:
		w.assign(agent)
	case 3:
		w.transfer(fmt.Sprint("q-", 1+w.r.IntN(2)))
	case 4:
		w.setStatus("CLOSED", "CONVERSATION_CLOSED", "ConversationClosed", agent)
	case 5:
		w.setStatus("OPEN", "CONVERSATION_OPEN", "ConversationReopened", agent)
	case 11:
		w.setStatus("PENDING", "CONVERSATION_PENDING", "ConversationPending", agent)
	case 6:
		w.tag(fmt.Sprint("tag-", w.r.IntN(3)))
	case 12: // in one moment
		for i := range 3 {
			w.tag(fmt.Sprint("tag-", i))
		}
	case 7:
		w.rate()
	case 8:
		m := w.messages[w.r.IntN(len(w.messages))]
		m.text, w.updated = "", w.now
		w.record("ConversationMessageRedacted", agent, map[string]any{"messageId": m.id, "wasTextRedacted": true, "numberOfDeletedFiles": 0})
	case 9:
		w.updated = w.now
		w.tell("SLA_EVALUATION_BREACHED", nil)
	case 10:
		id := fmt.Sprint("n-", len(w.messages))
		w.messages = append(w.messages, &worldMessage{id: id, author: agent, text: "note " + id, at: w.now, note: true})
		w.happen("CONVERSATION_NOTE_ADDED", "NoteAdded", agent, map[string]any{
			"note_id": id, "text": "note " + id, "created_at": w.now, "author": user(agent),
		}, map[string]any{"message": "note " + id})
	}
}

func (w *world) say(author, direction string, automated bool) {
	id := fmt.Sprint("m-", len(w.messages))
	w.messages = append(w.messages, &worldMessage{id: id, author: author, direction: direction, text: "text " + id, at: w.now, automated: automated})
	kind, attributes := "MessageAddedByAgent", map[string]any{"messageId": id}
	switch {
	case automated:
		kind, attributes = "ConversationAutoreplySent", map[string]any{"templateName": "thanks"}
	case direction == "inbound":
		kind = "MessageAddedByCustomer"
	}
	w.happen("CONVERSATION_MESSAGE_ADDED", kind, author, map[string]any{
		"message_id": id, "text": "text " + id, "direction": strings.ToUpper(direction), "channel": "EMAIL", "created_at": w.now, "author": user(author),
	}, attributes)
}

func (w *world) assign(agent string) {
	if w.assignee == agent {
		return
	}
	if w.assignee != "" {
		former := w.assignee
		w.assignee = ""
		w.happen("CONVERSATION_UNASSIGNED", "ConversationUnassigned", agent, nil, map[string]any{"agent": map[string]any{"id": former}})
		w.now = w.now.Add(time.Millisecond)
	}
	w.assignee, w.assigned = agent, w.now
	w.happen("CONVERSATION_ASSIGNED", "ConversationAssigned", agent, nil, map[string]any{"agentId": agent, "agentName": "Agent " + agent})
}

func (w *world) transfer(queue string) {
	w.assignee, w.assigned, w.queue, w.queued = "", time.Time{}, queue, w.now
	w.happen("CONVERSATION_TRANSFERRED_TO_QUEUE", "TransferSuccessful", "a-1", nil, map[string]any{
		"transferType": "Queue", "destinationType": "Queue", "destinationId": queue, "destinationLabel": "Queue " + queue,
	})
}

func (w *world) setStatus(status, event, activity, by string) {
	if w.status == status {
		return
	}
	w.status = status
	if status == "CLOSED" {
		w.closed = w.now
	}
	w.happen(event, activity, by, map[string]any{"author": user(by)}, nil)
}

func (w *world) tag(name string) {
	kind, event := "TagAdded", "CONVERSATION_TAG_ADDED"
	if i := slices.Index(w.tags, name); i >= 0 {
		kind, event = "TagRemoved", "CONVERSATION_TAG_REMOVED"
		w.tags = slices.Delete(slices.Clone(w.tags), i, i+1)
	} else {
		w.tags = append(slices.Clone(w.tags), name)
	}
	w.happen(event, kind, "a-1", map[string]any{"tag": name}, map[string]any{"tag": name})
}

func (w *world) rate() {
	w.ratings = append(w.ratings, &dixa.ExportedRating{Type: "stars", Status: "OFFERED", CreatedAt: dixa.NewTime(w.now), OfferedAt: dixa.NewTime(w.now)})
	w.updated = w.now
	w.record("ConversationRatingOffered", "", map[string]any{"agent": map[string]any{"id": "a-1"}, "user": map[string]any{"id": "u-1"}})
	if w.r.IntN(3) == 0 {
		return
	}
	w.now = w.now.Add(time.Hour)
	score, last := 1+w.r.IntN(5), *w.ratings[len(w.ratings)-1]
	last.Score, last.Status, last.RatedAt, last.Message = &score, "rated", dixa.NewTime(w.now), "fine"
	w.ratings[len(w.ratings)-1] = &last
	w.happen("CONVERSATION_RATED", "ConversationRated", "u-1", map[string]any{"score": score, "type": "CSAT", "agent": user("a-1")},
		map[string]any{"score": score, "message": "fine", "agent": map[string]any{"id": "a-1"}})
}

func (w *world) anonymize() {
	w.now = w.now.Add(time.Hour)
	w.anonymized, w.updated = w.now, w.now
	for _, m := range w.messages {
		m.text = ""
	}
	for i, r := range w.ratings {
		blank := *r
		blank.Message = ""
		w.ratings[i] = &blank
	}
}

func user(id string) map[string]any {
	if id == "" {
		return nil
	}
	return map[string]any{"id": id, "name": "Name " + id, "email": id + "@example.org"}
}

// happen sends an event and writes an entry to the log.
func (w *world) happen(fqn, activity, author string, data, attributes map[string]any) {
	w.updated = w.now
	w.record(activity, author, attributes)
	w.tell(fqn, data)
}

func (w *world) tell(fqn string, data map[string]any) {
	all := map[string]any{"conversation": w.snapshot()}
	for name, value := range data {
		all[name] = value
	}
	w.events++
	id := fmt.Sprint("e-", w.events)
	body, err := json.Marshal(map[string]any{"event_id": id, "event_fqn": fqn, "event_version": "1", "event_timestamp": w.now, "data": all})
	require.NoError(w.t, err)
	e := mirror.ReadEvent(id, time.Time{}, body)
	require.Equal(w.t, int64(worldID), e.ConversationID)
	w.told = append(w.told, news{facts: []mirror.Fact{e.Fact}, messages: e.Messages})
}

func (w *world) record(activity, author string, attributes map[string]any) {
	a := &dixa.Activity{ID: fmt.Sprint("l-", len(w.log)), ConversationID: worldID, At: dixa.NewTime(w.now), Type: activity}
	if author != "" {
		a.Author = &dixa.ActivityUser{ID: author, Name: "Name " + author}
	}
	raw, err := json.Marshal(attributes)
	require.NoError(w.t, err)
	a.Attributes = raw
	w.log = append(w.log, a)
}

func (w *world) snapshot() map[string]any {
	tags := []map[string]any{}
	for _, name := range w.tags {
		tags = append(tags, map[string]any{"id": "id-" + name, "name": name})
	}
	c := map[string]any{
		"csid": worldID, "channel": "EMAIL", "status": w.status, "direction": "INBOUND", "created_at": w.created, "contact_point": "shop@email.dixa.io",
		"requester": user("u-1"), "assignee": user(w.assignee), "subject": "Broken", "tags": tags,
		"queue": map[string]any{"id": w.queue, "name": "Queue " + w.queue},
	}
	return c
}
