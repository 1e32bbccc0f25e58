package evidence

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// answers stands in for file servers. These tests run on a fake clock, which a real
// connection would block.
type answers func(*http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func checkerOf(o Options, a answers) *Checker {
	c := New(o)
	c.client.Transport = a
	return c
}

func answer(status int, body io.Reader) (*http.Response, error) {
	return &http.Response{StatusCode: status, Body: io.NopCloser(body), ContentLength: -1}, nil
}

// paper returns a distinct file for each name.
func paper(name string) io.Reader { return strings.NewReader("%PDF-1.7\n" + name) }

// hang never answers.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// after waits for d or until the request ends.
func after(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

func named(n int) []File {
	files := make([]File, n)
	for i := range files {
		files[i] = File{URL: fmt.Sprintf("https://example.org/%d", i), Name: fmt.Sprint(i)}
	}
	return files
}

// reasons counts the reasons and requires equal ones to be adjacent.
func reasons(t *testing.T, left []LeftOut) map[string]int {
	t.Helper()
	count := map[string]int{}
	for i, l := range left {
		require.True(t, count[l.Reason] == 0 || left[i-1].Reason == l.Reason, "reason %q occurs again at %d", l.Reason, i)
		count[l.Reason]++
	}
	return count
}

func TestCheckLimitsNumberOfRequests(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	c := checkerOf(Options{}, func(*http.Request) (*http.Response, error) {
		asked.Add(1)
		return answer(http.StatusNotFound, http.NoBody)
	})
	v, err := c.Check(t.Context(), named(3000), Limits{Files: 5, Bytes: map[Type]int{Image: 1 << 20, PDF: 1 << 20}})
	require.NoError(t, err)
	require.Empty(t, v.Files)
	require.Equal(t, map[string]int{"the server returned 404": 30, "not checked: the claim has too many files": 2970}, reasons(t, v.LeftOut))
	require.EqualValues(t, 30, asked.Load())

	v, err = c.Check(t.Context(), named(3), Limits{Files: 0, Bytes: map[Type]int{Image: 1 << 20, PDF: 1 << 20}})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"the limit of 0 files is reached": 3}, reasons(t, v.LeftOut))
	require.EqualValues(t, 30, asked.Load(), "a request was sent although no file is accepted")
}

func TestCheckStopsAtFileLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		c := checkerOf(Options{}, func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			after(r, time.Second)
			return answer(http.StatusOK, paper(r.URL.Path))
		})
		v, err := c.Check(t.Context(), named(3000), Limits{Files: 3, Bytes: map[Type]int{Image: 1 << 20, PDF: 1 << 20}})
		require.NoError(t, err)
		require.Len(t, v.Files, 3)
		require.Equal(t, "2.pdf", v.Files[2].Name)
		require.Equal(t, map[string]int{"the limit of 3 files is reached": 2997}, reasons(t, v.LeftOut))
		require.LessOrEqual(t, asked.Load(), int64(2*parallel), "only checks in progress may exceed the limit")
	})
}

func TestCheckKeepsOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := checkerOf(Options{}, func(r *http.Request) (*http.Response, error) {
			switch r.URL.Path {
			case "/0": // the slowest, and the one that the others duplicate
				after(r, 9*time.Second)
			case "/2":
				return answer(http.StatusOK, paper("another"))
			}
			return answer(http.StatusOK, paper("one"))
		})
		v, err := c.Check(t.Context(), named(4), Limits{Files: 2, Bytes: map[Type]int{Image: 1 << 20, PDF: 1 << 20}})
		require.NoError(t, err)
		require.Equal(t, []string{"0.pdf", "2.pdf"}, []string{v.Files[0].Name, v.Files[1].Name})
		require.Equal(t, map[string]int{"the file is a duplicate of 0.pdf": 1, "the limit of 2 files is reached": 1}, reasons(t, v.LeftOut))
	})
}

func TestCheckReturnsAtTotalTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := checkerOf(Options{Timeout: 7 * time.Second}, func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/0" {
				return answer(http.StatusOK, paper("one"))
			}
			return hang(r)
		})
		v, err := c.Check(t.Context(), named(3000), Limits{Files: 50, Bytes: map[Type]int{Image: 1 << 20, PDF: 1 << 20}})
		require.NoError(t, err)
		require.Len(t, v.Files, 1, "files checked in time must be offered")
		require.Equal(t, map[string]int{
			"the server did not respond in time":        8 * parallel, // in 60 s, 7 s each
			"not checked in time":                       120 - 1 - 8*parallel,
			"not checked: the claim has too many files": 3000 - 120,
		}, reasons(t, v.LeftOut))
	})
}

func TestCheckFailsAtContextDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := checkerOf(Options{}, hang).Check(ctx, named(100), Limits{Files: 5, Bytes: map[Type]int{Image: 1 << 20, PDF: 1 << 20}})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestConcurrentChecksShareSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		release := make(chan struct{})
		c := checkerOf(Options{}, func(r *http.Request) (*http.Response, error) {
			now.Add(1)
			defer now.Add(-1)
			select {
			case <-release:
				return answer(http.StatusOK, paper(r.URL.Path))
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		var running sync.WaitGroup
		results := make([]Result, 10)
		errs := make([]error, 10)
		for i := range results {
			running.Go(func() {
				results[i], errs[i] = c.Check(t.Context(), named(6), Limits{Files: 6, Bytes: map[Type]int{Image: 1 << 20, PDF: 1 << 20}})
			})
			synctest.Wait()
			require.EqualValues(t, min(parallel*(i+1), parallelAll), now.Load(), "files in progress with %d checks", i+1)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Check(ctx, named(1), Limits{Files: 1, Bytes: map[Type]int{Image: 1 << 20, PDF: 1 << 20}})
		require.ErrorIs(t, err, context.DeadlineExceeded, "a waiting check must end with its context")

		close(release)
		running.Wait()
		for i := range results {
			require.NoError(t, errs[i])
			require.Len(t, results[i].Files, 6)
		}
	})
}

// stream is a body of a given size that records how it is read.
type stream struct {
	left, read, most int
}

func (s *stream) Read(p []byte) (int, error) {
	s.most = max(s.most, len(p))
	n := min(len(p), s.left)
	if n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	s.left, s.read = s.left-n, s.read+n
	return n, nil
}

func TestCheckStreamsFiles(t *testing.T) {
	t.Parallel()
	const limit = 64 << 20
	for name, tt := range map[string]struct {
		body   *stream
		head   string
		files  int
		reason string
		read   int
	}{
		"at the size limit":                      {&stream{left: limit - 9}, "%PDF-1.7\n", 1, "", limit - 9},
		"above the limit without Content-Length": {&stream{left: 2 * limit}, "%PDF-1.7\n", 0, "the file is larger than 64 MB", limit + 1 - 9},
		"large and not an image":                 {&stream{left: limit - 9}, "\x7fELF\x02\x01\x01\x00\x00", 0, "the file type is not accepted", sniffed - 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := checkerOf(Options{}, func(*http.Request) (*http.Response, error) {
				return answer(http.StatusOK, io.MultiReader(strings.NewReader(tt.head), tt.body))
			})
			v, err := c.Check(t.Context(), named(1), Limits{Files: 1, Bytes: map[Type]int{Image: limit, PDF: limit}})
			require.NoError(t, err)
			require.Len(t, v.Files, tt.files, "left out: %v", v.LeftOut)
			if tt.reason != "" {
				require.Contains(t, v.LeftOut[0].Reason, tt.reason)
			}
			require.Equal(t, tt.read, tt.body.read, "more bytes were fetched than needed")
			require.LessOrEqual(t, tt.body.most, 64<<10, "the buffer grows with the file")
		})
	}
}
