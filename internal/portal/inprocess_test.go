package portal

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A handler that answers after the caller has gone must end, not wait for a reader.
func TestAnswerAfterTheCallerHasGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	gone, ended := make(chan struct{}), make(chan error)
	transport := &inProcess{
		handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
			<-gone
			_, err := io.WriteString(w, "too late")
			ended <- err
		}),
		acting: func(ctx context.Context) context.Context { return ctx },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, inProcessURL, nil)
	require.NoError(t, err)
	response, err := transport.RoundTrip(request)
	if response != nil {
		_ = response.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	close(gone)
	require.ErrorIs(t, <-ended, context.Canceled)
}
