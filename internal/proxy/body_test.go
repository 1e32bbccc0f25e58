package proxy

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// deadlines records the read deadlines of a connection.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.set = append(d.set, at)
	return nil
}

// A body that arrives in time does not bound how long Dixa may take: a deadline that
// passed later would end the request.
func TestDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	before := time.Now()
	body := newBodyIn(w, io.NopCloser(strings.NewReader("{}")), 10, time.Minute)
	require.Len(t, w.set, 1)
	require.False(t, w.set[0].Before(before.Add(time.Minute)))
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "{}", string(data))
	require.Len(t, w.set, 2)
	require.Zero(t, w.set[1])
}
