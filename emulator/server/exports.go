package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"
)

// Operations of the Exports API. In Dixa, they are on a host of their own,
// https://exports.dixa.io/v1; here, they are on the same listener under /exports/v1.
const (
	conversationExportOperation = "GET /exports/v1/conversation_export"
	messageExportOperation      = "GET /exports/v1/message_export"
)

// exportRoutes lists the operations of the Exports API.
func exportRoutes() []route {
	created := []string{"created_after", "created_before", "csids"}
	return []route{
		{operation: conversationExportOperation, handle: (*Server).exportConversations, export: true, query: append([]string{
			"closed_after", "closed_before", "updated_after", "updated_before",
			"last_message_created_after", "last_message_created_before",
		}, created...)},
		{operation: messageExportOperation, handle: (*Server).exportMessages, export: true, query: created},
	}
}

// exportConversations serves GET /v1/conversation_export.
func (s *Server) exportConversations(c *call) (reply, error) {
	filter, err := c.exportFilter("created", "closed", "updated", "last_message_created")
	if err != nil {
		return reply{}, err
	}
	return s.exported(c, func(conversation *Conversation, _ int, rows *exportRows) (next int) {
		changed := conversation.updatedAt().Add(time.Duration(c.switches.Exports.Lag))
		wanted := !conversation.VisibleAt.After(c.now) && !changed.After(c.now) && filter.picks(conversation.ID) &&
			filter.admits("created", conversation.CreatedAt) &&
			filter.admits("closed", c.exportedClose(conversation)) &&
			filter.admits("updated", conversation.updatedAt()) &&
			filter.admits("last_message_created", conversation.lastMessageAt())
		if wanted {
			rows.add(s.conversationExport(c, conversation))
		}
		return 0
	}), nil
}

// exportMessages serves GET /v1/message_export.
func (s *Server) exportMessages(c *call) (reply, error) {
	filter, err := c.exportFilter("created")
	if err != nil {
		return reply{}, err
	}
	return s.exported(c, func(conversation *Conversation, from int, rows *exportRows) (next int) {
		if !filter.picks(conversation.ID) {
			return 0
		}
		for i, message := range conversation.Messages[min(from, len(conversation.Messages)):] {
			visible := message.VisibleAt.Add(time.Duration(c.switches.Exports.Lag))
			if visible.After(c.now) || !filter.admits("created", message.CreatedAt) {
				continue
			}
			if rows.full() {
				return from + i
			}
			rows.add(s.messageExport(c, conversation, message))
		}
		return 0
	}), nil
}

// exportBatch is how many rows are encoded under the lock at a time.
const exportBatch = 500

// exportRows is a batch of encoded rows.
type exportRows struct {
	buffer bytes.Buffer
	count  int  // in this batch
	begun  bool // a row was added, in this batch or an earlier one
	omit   bool
}

func (r *exportRows) full() bool { return r.count >= exportBatch }

func (r *exportRows) add(row any) {
	if r.begun {
		r.buffer.WriteByte(',')
	}
	if r.omit {
		row = withoutNulls(row)
	}
	encoder := json.NewEncoder(&r.buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(row); err != nil {
		panic("emulator: encode export: " + err.Error()) // rows contain only values that JSON can encode
	}
	r.begun = true
	r.count++
}

// exported replies with a bare array of rows. collect adds those of one conversation,
// starting with its item from; if the batch is full, it returns the item to continue
// with, otherwise 0. The rows are encoded and sent in batches, so that an export is
// never in memory as a whole. A row shows the state at the time of its batch.
func (s *Server) exported(c *call, collect func(conversation *Conversation, from int, rows *exportRows) (next int)) reply {
	return reply{status: http.StatusOK, stream: func(w io.Writer) error {
		rows := exportRows{omit: c.switches.Exports.Empty == "omitted"}
		rows.buffer.WriteByte('[')
		place, item, more := 0, 0, true
		for more {
			place, item, more = s.collectBatch(place, item, &rows, collect)
			if !more {
				rows.buffer.WriteByte(']')
			}
			if _, err := w.Write(rows.buffer.Bytes()); err != nil {
				return err
			}
			rows.buffer.Reset()
			rows.count = 0
		}
		return nil
	}}
}

// collectBatch fills rows from the given place in the list of conversations and
// returns where to continue.
func (s *Server) collectBatch(place, item int, rows *exportRows, collect func(*Conversation, int, *exportRows) int) (nextPlace, nextItem int, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for place < len(s.state.Conversations) {
		if rows.full() {
			return place, item, true
		}
		if item = collect(s.state.Conversations[place], item, rows); item == 0 {
			place++
		}
	}
	return place, 0, false
}

// withoutNulls returns a copy of a row, which is a struct, whose empty pointers and
// interfaces are omitted from its JSON instead of being null.
func withoutNulls(row any) any {
	value := reflect.ValueOf(row)
	made, _ := rowTypes.Load(value.Type())
	if kind, known := made.(reflect.Type); known {
		return value.Convert(kind).Interface()
	}
	var fields []reflect.StructField
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if kind := field.Type.Kind(); kind == reflect.Pointer || kind == reflect.Interface {
			field.Tag = reflect.StructTag(strings.TrimSuffix(string(field.Tag), `"`) + `,omitzero"`)
		}
		fields = append(fields, field)
	}
	kind := reflect.StructOf(fields)
	rowTypes.Store(value.Type(), kind)
	return value.Convert(kind).Interface()
}

// rowTypes holds the types that withoutNulls converts rows to, by the row's own type,
// because making one is slow.
var rowTypes sync.Map

// unixMillis returns a time as exports write it, or nil if there is none.
func unixMillis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// exportText returns a text as exports write it, or nil if it is empty.
func exportText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// exportEnum writes a value of the API's enumerations in the notation set by the
// switch exports.enums.
func (c *call) exportEnum(value string) *string {
	switch c.switches.Exports.Enums {
	case "lower":
		value = strings.ToLower(value)
	case "upper":
		value = upperSnake(value)
	}
	return exportText(value)
}
