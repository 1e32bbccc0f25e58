package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// dixa is an emulator under test, called over HTTP. If Dixa's OpenAPI file is
// available, every reply is validated against it.
type dixa struct {
	*server.Server
	t        *testing.T
	url      string
	client   *http.Client // its own, because httptest closes the default client's connections
	token    string
	contract *contract
	held     atomic.Int32 // replies validated against the contract
}

// start serves an emulator, without a request limit unless options set one.
func start(t *testing.T, options server.Options) *dixa {
	t.Helper()
	if options.Limit.Reading == "" {
		options.Limit.Reading = server.LimitOff
	}
	emulator := server.New(options)
	t.Cleanup(emulator.Close)
	web := httptest.NewServer(emulator)
	t.Cleanup(web.Close)
	d := &dixa{Server: emulator, t: t, url: web.URL, client: web.Client(), token: "demo-token"}
	d.contract, _ = loadContract() // TestContract reports a missing contract
	return d
}

type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// send makes a request and does not check its status.
func (d *dixa) send(method, path string, body any) (answer, error) {
	return d.sendWith(d.t.Context(), method, path, body)
}

func (d *dixa) sendWith(ctx context.Context, method, path string, body any) (answer, error) {
	var reader io.Reader
	var sent []byte
	switch body := body.(type) {
	case nil:
	case string:
		sent = []byte(body)
		reader = bytes.NewReader(sent)
	default:
		var err error
		sent, err = json.Marshal(body)
		require.NoError(d.t, err)
		reader = bytes.NewReader(sent)
	}
	if !slices.ContainsFunc([]string{"/v1", "/beta", "/_", "/files", "/exports"}, func(root string) bool { return strings.HasPrefix(path, root) }) {
		path = "/v1" + path
	}
	request, err := http.NewRequestWithContext(ctx, method, d.url+path, reader)
	require.NoError(d.t, err)
	if d.token != "" {
		request.Header.Set("Authorization", d.token)
	}
	response, err := d.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	got := answer{d.t, response.StatusCode, response.Header, received}
	if d.contract != nil && strings.HasPrefix(path, "/v1/") {
		d.hold(method, request.URL.Path, sent, got)
	}
	return got, nil
}

func (d *dixa) hold(method, path string, sent []byte, got answer) {
	d.t.Helper()
	path = strings.TrimPrefix(path, "/v1")
	if d.contract.operation(method, path) == nil || bytes.HasPrefix(got.body, []byte("<")) {
		return // a deliberately wrong path or reply
	}
	d.contract.checkReply(d.t, method, path, got.status, got.body)
	if got.status/100 == 2 {
		d.contract.checkRequest(d.t, method, path, sent)
	}
	d.held.Add(1)
}

// do makes a request that must be answered with the given status.
func (d *dixa) do(method, path string, body any, status int) answer {
	d.t.Helper()
	got, err := d.send(method, path, body)
	require.NoError(d.t, err, "%s %s", method, path)
	require.Equalf(d.t, status, got.status, "%s %s returned %s", method, path, got.body)
	return got
}

// data decodes the data of the reply.
func (a answer) data(into any) {
	a.t.Helper()
	envelope := struct {
		Data any `json:"data"`
	}{into}
	require.NoError(a.t, json.Unmarshal(a.body, &envelope), string(a.body))
}

// message returns the message of an error body.
func (a answer) message() string {
	a.t.Helper()
	var body struct {
		Message string `json:"message"`
	}
	require.NoError(a.t, json.Unmarshal(a.body, &body), string(a.body))
	return body.Message
}

type object = map[string]any

// customer creates an end user and returns its id.
func (d *dixa) customer(email string) string {
	d.t.Helper()
	var user struct {
		ID string `json:"id"`
	}
	d.do(http.MethodPost, "/endusers", object{"email": email, "displayName": "Customer"}, http.StatusCreated).data(&user)
	return user.ID
}

// mail returns the body that creates an inbound mail conversation.
func mail(requester, externalID string, attachments ...string) object {
	files := []object{}
	for _, address := range attachments {
		files = append(files, object{"url": address, "prettyName": "photo.jpg"})
	}
	message := object{"_type": "Inbound", "content": object{"_type": "Text", "value": "It broke"}, "attachments": files}
	if externalID != "" {
		message["externalId"] = externalID
	}
	return object{
		"_type": "Email", "requesterId": requester, "emailIntegrationId": server.SeedMailbox,
		"subject": "Order 10001", "language": "en", "message": message,
	}
}

// open creates an inbound mail conversation and returns its id.
func (d *dixa) open(requester string) int64 {
	d.t.Helper()
	var conversation struct {
		ID int64 `json:"id"`
	}
	d.do(http.MethodPost, "/conversations", mail(requester, ""), http.StatusCreated).data(&conversation)
	return conversation.ID
}

// clock is a clock that tests advance.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, time.March, 2, 8, 30, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func decode(t *testing.T, body []byte, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(body, into), string(body))
}

// download fetches a private file as Dixa's files API requires.
func (d *dixa) download(address, token string) string {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, address, nil)
	require.NoError(d.t, err)
	request.SetBasicAuth("bearer", token)
	response, err := d.client.Do(request)
	require.NoError(d.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	return string(body)
}
