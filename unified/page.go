package unified

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Object is a unified object of any resource, ready to be encoded.
type Object interface {
	// Key returns the object's id.
	Key() string
	// remote returns Dixa's own object.
	remote() *json.RawMessage
}

// Page is a part of a list.
type Page struct {
	Items []Object
	// Next and Previous are cursors; empty at the end and at the start.
	Next, Previous string
}

// envelope is the body of a list, without its result.
type envelope struct {
	Next        *string `json:"next_cursor"`
	Previous    *string `json:"prev_cursor"`
	ResultCount int     `json:"result_count"`
	IsPartial   bool    `json:"is_partial_response"`
}

// RenderList encodes a page as the query asks for.
func RenderList(q *Query, page Page) (json.RawMessage, error) {
	all := make([]json.RawMessage, len(page.Items))
	for i, item := range page.Items {
		var err error
		if all[i], err = Render(q, item); err != nil {
			return nil, err
		}
	}
	out := envelope{ResultCount: len(all)}
	result := joined(all)
	if q.KeyBy != "" {
		keyed := make(map[string]json.RawMessage, len(all))
		for i, item := range page.Items {
			key, err := keyOf(item, q.KeyBy)
			if err != nil {
				return nil, err
			}
			if _, taken := keyed[key]; taken {
				return nil, Invalid("truto_key_by", fmt.Sprintf("must name a field that is different in every object: two have %q", key))
			}
			keyed[key] = all[i]
		}
		var err error
		if result, err = encode(keyed); err != nil {
			return nil, err
		}
	}
	if page.Next != "" {
		out.Next = &page.Next
	}
	if page.Previous != "" {
		out.Previous = &page.Previous
	}
	rest, err := encode(out)
	if err != nil {
		return nil, err
	}
	// Encoding the objects again would take as long as the first time.
	return slices.Concat(json.RawMessage(`{"result":`), result, json.RawMessage(`,`), rest[1:]), nil
}

// joined returns a list of encoded elements.
func joined(all []json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, text := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(text)
	}
	b.WriteByte(']')
	return b.Bytes()
}

// keyOf returns the value of a field as a key.
func keyOf(o Object, field string) (string, error) {
	d, err := DocumentOf(o)
	if err != nil {
		return "", err
	}
	switch key := d[field].(type) {
	case string:
		return key, nil
	case bool, float64:
		return fmt.Sprint(key), nil
	default:
		return "", Invalid("truto_key_by", "must name a field that has a text, number or boolean in every object")
	}
}

// Render encodes an object as the query asks for.
func Render(q *Query, o Object) (json.RawMessage, error) {
	remote := o.remote()
	if q.Format == FormatRaw {
		if len(*remote) == 0 {
			return json.RawMessage("null"), nil
		}
		return *remote, nil
	}
	if q.IgnoreRemoteData {
		*remote = nil
	}
	text, err := encode(o)
	if err != nil || len(q.Exclude) == 0 {
		return text, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("decode a unified object: %w", err)
	}
	for _, field := range q.Exclude {
		delete(members, field)
	}
	return encode(members)
}

// encode encodes without escaping HTML, which clients show as it is.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode a unified object: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
