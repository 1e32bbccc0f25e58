package portal

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// A download arrives while the API still reads, and an export that breaks off does not
// end like a whole one.
func TestDownloadIsStreamed(t *testing.T) {
	t.Parallel()
	first := "id,subject\n" + strings.Repeat("1,Vase\n", 10_000)
	read := make(chan struct{})
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasSuffix(r.URL.Path, "/records"):
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"id": "s-1", "title": "Über \"uns\""}`)
		case r.URL.Query().Get("stream") == "ratings":
			w.WriteHeader(http.StatusUnprocessableEntity)
		default:
			_, _ = io.WriteString(w, first)
			<-read
			if r.URL.Query().Get("stream") == "messages" {
				panic(http.ErrAbortHandler)
			}
			_, _ = io.WriteString(w, "2,Lamp\n")
		}
	})
	transport := &inProcess{api, func(ctx context.Context) context.Context { return ctx }}
	c, err := client.New(inProcessURL, "", client.WithRetries(0, 0), client.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("source", "s-1")
		v := &visit{Portal: &Portal{}, w: w, r: r, api: c, page: claim.PageData}
		if err := v.recordsCSV("c-1"); err != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer web.Close()
	type answer struct {
		status int
		header http.Header
		body   io.Reader
	}
	get := func(stream string) answer {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+"?stream="+stream, http.NoBody)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		return answer{response.StatusCode, response.Header, response.Body}
	}
	beginning := func(a answer) string {
		t.Helper()
		part := make([]byte, len(first)/2) // the server may hold the end back
		_, err := io.ReadFull(a.body, part)
		require.NoError(t, err)
		return string(part)
	}

	refused := get("ratings")
	require.Equal(t, http.StatusTeapot, refused.status, "an error before the first row is a page")

	whole, broken := get("conversations"), get("messages")
	require.Equal(t, "text/csv; charset=utf-8", whole.header.Get("Content-Type"))
	require.Contains(t, whole.header.Get("Content-Disposition"), "attachment;")
	half := beginning(whole)
	require.Equal(t, first[:len(half)], half, "the first rows arrive before the last are read")
	require.Equal(t, half, beginning(broken))
	close(read)
	rest, err := io.ReadAll(whole.body)
	require.NoError(t, err)
	require.Equal(t, first+"2,Lamp\n", half+string(rest))
	_, err = io.ReadAll(broken.body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
