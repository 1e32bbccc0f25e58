package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"
	"github.com/google/uuid"
)

// Error messages that Dixa's documentation quotes verbatim.
const (
	messageDecoding     = "Decoding failure in request"
	messageInvalid      = "Invalid value in request"
	messageUnauthorized = "Unauthorized"
	messageNotFound     = "The requested resource could not be found"
	messageServerError  = "There was an internal server error while processing the request"
)

// messageTooLong is the error message of AWS API Gateway for a body above maxBody.
const messageTooLong = "Request Too Long"

// call is one authenticated API request.
type call struct {
	ctx       context.Context
	request   *http.Request
	operation string
	version   string // v1 or beta
	origin    string // scheme and host that the client used
	token     string
	actor     string // user that the request acts as
	query     url.Values
	body      []byte
	now       time.Time
	files     map[string]download
	switches  Switches
}

// reply is the response of an operation. A nil body sends no body. A non-nil raw or
// stream is sent instead of body. A stream must be called without s.mu.
type reply struct {
	status int
	body   any
	raw    []byte
	stream func(io.Writer) error
	header http.Header
}

func (r reply) encode() []byte {
	var buffer bytes.Buffer
	if r.stream != nil {
		_ = r.stream(&buffer) // a buffer accepts every write
		return buffer.Bytes()
	}
	if r.raw != nil || r.body == nil {
		return r.raw
	}
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r.body); err != nil {
		panic("emulator: encode response: " + err.Error()) // replies contain only values that JSON can encode
	}
	return bytes.TrimRight(buffer.Bytes(), "\n")
}

// envelope is the usual response wrapper, {"data": ..., "meta": ...}.
type envelope struct {
	Data any       `json:"data"`
	Meta *pageMeta `json:"meta,omitempty"`
}

func data(status int, value any) (reply, error) {
	return reply{status: status, body: envelope{Data: value}}, nil
}

func empty(status int) (reply, error) { return reply{status: status}, nil }

// refusal is a non-success response as an error, so that any step of an operation
// can return it.
type refusal struct {
	status  int
	message string
}

func (r refusal) Error() string { return strconv.Itoa(r.status) + " " + r.message }

func refuse(status int, message string) reply {
	return reply{status: status, body: map[string]string{"message": message}}
}

func bad(message string) error      { return refusal{http.StatusBadRequest, message} }
func conflict(message string) error { return refusal{http.StatusConflict, message} }
func notFound() error               { return refusal{http.StatusNotFound, messageNotFound} }

// refusedWith turns a switch's status into a refusal. A 404 carries Dixa's own
// message.
func refusedWith(status, message string) error {
	code, _ := strconv.Atoi(status)
	if code == http.StatusNotFound {
		return notFound()
	}
	return refusal{code, message}
}

// uuid reads a path parameter that must be a UUID. Any other value is a 400.
func (c *call) uuid(name string) (string, error) {
	value := c.request.PathValue(name)
	if !isUUID(value) {
		return "", bad(messageInvalid)
	}
	return strings.ToLower(value), nil
}

// named finds what a path parameter names. It returns a 400 if the parameter is not a
// UUID, and a 404 if find returns nil.
func named[T any](c *call, param string, find func(string) *T) (*T, error) {
	id, err := c.uuid(param)
	if err != nil {
		return nil, err
	}
	item := find(id)
	if item == nil {
		return nil, notFound()
	}
	return item, nil
}

// first returns the first item that matches, or nil if none does.
func first[T any](items []*T, match func(*T) bool) *T {
	at := slices.IndexFunc(items, match)
	if at < 0 {
		return nil
	}
	return items[at]
}

// each applies body to every item and returns the results.
func each[T, B any](items []T, body func(T) B) []B {
	bodies := make([]B, len(items))
	for i, item := range items {
		bodies[i] = body(item)
	}
	return bodies
}

// int64 reads a path parameter that must be an integer. Any other value is a 400.
func (c *call) int64(name string) (int64, error) {
	value, err := strconv.ParseInt(c.request.PathValue(name), 10, 64)
	if err != nil {
		return 0, bad(messageInvalid)
	}
	return value, nil
}

// flag reads an optional boolean query parameter.
func (c *call) flag(name string) (bool, error) {
	text := c.query.Get(name)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, bad(messageInvalid)
	}
	return value, nil
}

// instant reads an optional time query parameter.
func (c *call) instant(name string) (time.Time, error) {
	text := c.query.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	value, ok := parseTime(text)
	if !ok {
		return time.Time{}, bad(messageInvalid)
	}
	return value, nil
}

// sameID reports whether two ids are the same. UUIDs compare without regard to case.
func sameID(a, b string) bool { return a == b || strings.EqualFold(a, b) && isUUID(a) }

// containsID reports whether ids contain id.
func containsID(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(other string) bool { return sameID(other, id) })
}

func isUUID(text string) bool { return len(text) == 36 && uuid.Validate(text) == nil }

var validate = newValidator()

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterCustomTypeFunc(func(field reflect.Value) any {
		value, _ := field.Interface().(instant)
		return value.Time
	}, instant{})
	return v
}

// instant is a time in a request body, in any notation that parseTime accepts.
type instant struct{ time.Time }

func (i *instant) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	t, ok := parseTime(text)
	if !ok {
		return errors.New("not an ISO 8601 time")
	}
	i.Time = t
	return nil
}

// decode unmarshals the request body into a T and checks its validate tags.
func decode[T any](c *call) (T, error) {
	var input T
	decoder := json.NewDecoder(bytes.NewReader(c.body))
	if c.switches.UnknownFields == Rejected {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(&input); err != nil {
		return input, bad(messageDecoding)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return input, bad(messageDecoding)
	}
	if err := check(input); err != nil {
		return input, err
	}
	return input, nil
}

// decodeOptional is decode for operations with an optional body.
func decodeOptional[T any](c *call) (T, error) {
	if len(bytes.TrimSpace(c.body)) == 0 {
		var zero T
		return zero, nil
	}
	return decode[T](c)
}

func check(input any) error {
	kind := reflect.TypeOf(input).Kind()
	var err error
	switch kind {
	case reflect.Slice, reflect.Map:
		err = validate.Var(input, "dive")
	default:
		err = validate.Struct(input)
	}
	if err != nil {
		return bad(messageDecoding)
	}
	return nil
}
