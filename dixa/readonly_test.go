package dixa

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type closedBody struct {
	io.Reader
	closed bool
}

func (b *closedBody) Close() error {
	b.closed = true
	return nil
}

// Do checks before it sends. The transport also stops requests that bypass Do.
func TestReadOnlyTransportChecksRequest(t *testing.T) {
	t.Parallel()
	passed := 0
	transport := readOnlyTransport{base: "/v1/", next: roundTripperFunc(func(*http.Request) (*http.Response, error) {
		passed++
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	})}
	for request, reads := range map[string]bool{
		"GET /v1/endusers":                    true,
		"HEAD /v1/endusers":                   true,
		"POST /v1/search/conversations":       true,
		"POST /v1/search/conversations/":      true,
		"POST /v1/analytics/metrics":          true,
		"POST /v1/analytics/records":          true,
		"POST /v1/analytics/records/x":        false,
		"PUT /v1/search/conversations":        false,
		"POST /v1/conversations":              false,
		"POST /v1/v1/search/conversations":    false,
		"PATCH /v1/webhooks/w":                false,
		"DELETE /v1/webhooks/w":               false,
		"PUT /v1/conversations/1/close":       false,
		"POST /v1/conversations/1/messages":   false,
		"OPTIONS /v1/conversations":           false,
		"get /v1/conversations":               false,
		"POST /v1/conversations?search=/x":    false,
		"POST /v1/conversations/1/notes/bulk": false,
	} {
		method, path, _ := strings.Cut(request, " ")
		body := &closedBody{Reader: strings.NewReader("{}")}
		r, err := http.NewRequestWithContext(t.Context(), method, "https://dixa.example"+path, body)
		require.NoError(t, err)
		before := passed
		resp, err := transport.RoundTrip(r)
		if reads {
			require.NoError(t, err, request)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, before+1, passed, request)
			continue
		}
		require.ErrorIs(t, err, ErrReadOnly, request)
		require.Equal(t, before, passed, request)
		require.True(t, body.closed, request)
	}
}
