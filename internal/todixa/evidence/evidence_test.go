package evidence_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/todixa/evidence"
)

func picture(t *testing.T, shade uint8, encode func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	for i := range img.Pix {
		img.Pix[i] = color.Gray{Y: shade}.Y
	}
	var b bytes.Buffer
	require.NoError(t, encode(&b, img))
	return b.Bytes()
}

func jpg(t *testing.T, shade uint8) []byte {
	t.Helper()
	return picture(t, shade, func(b *bytes.Buffer, i image.Image) error { return jpeg.Encode(b, i, nil) })
}

func pngImage(t *testing.T, shade uint8) []byte {
	t.Helper()
	return picture(t, shade, func(b *bytes.Buffer, i image.Image) error { return png.Encode(b, i) })
}

// write writes from a handler, which must not use require.
func write(t *testing.T, w http.ResponseWriter, body []byte) {
	t.Helper()
	if _, err := w.Write(body); err != nil {
		t.Error(err)
	}
}

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	send := func(path string, body []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain") // the content decides, not this header
			write(t, w, body)
		})
	}
	send("/a.jpg", jpg(t, 10))
	send("/b.png", pngImage(t, 20))
	send("/copy-of-a.jpg", jpg(t, 10))
	send("/page.jpg", []byte("<html><script>alert(1)</script></html>"))
	send("/drawing.svg", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`))
	send("/paper.pdf", []byte("%PDF-1.7\n%âãÏÓ\n"))
	send("/empty", nil)
	send("/large.jpg", append(jpg(t, 30), make([]byte, 4096)...))
	mux.HandleFunc("/gone.jpg", http.NotFound)
	mux.HandleFunc("/moved.jpg", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/a.jpg", http.StatusFound) })
	mux.HandleFunc("/circle.jpg", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/circle.jpg?again", http.StatusFound)
	})
	mux.HandleFunc("/file.jpg", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "ftp://127.0.0.1/a", http.StatusFound)
	})
	mux.HandleFunc("/inside.jpg", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
	})
	cut := jpg(t, 40)[:50]
	mux.HandleFunc("/cut.jpg", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "500")
		write(t, w, cut)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		panic(http.ErrAbortHandler)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// upTo returns limits for a number of files of every type, each with a maximum size
// in bytes.
func upTo(files, bytes int) evidence.Limits {
	return evidence.Limits{Files: files, Bytes: map[evidence.Type]int{
		evidence.Image: bytes, evidence.PDF: bytes, evidence.MP4: bytes, evidence.MOV: bytes, evidence.WebM: bytes,
	}}
}

func TestCheckFileReasons(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := evidence.New(evidence.Options{AllowLoopback: true})
	for _, tt := range []struct {
		name, url, file, reason string
	}{
		{"a JPEG", s.URL + "/a.jpg", "x.jpg", ""},
		{"a PNG", s.URL + "/b.png", "x.png", ""},
		{"a PDF", s.URL + "/paper.pdf", "x.pdf", ""},
		{"a redirect to a JPEG", s.URL + "/moved.jpg", "x.jpg", ""},
		{"an HTML page", s.URL + "/page.jpg", "", "file type is not accepted"},
		{"an SVG", s.URL + "/drawing.svg", "", "file type is not accepted"},
		{"an empty file", s.URL + "/empty", "", "empty"},
		{"too large", s.URL + "/large.jpg", "", "larger than"},
		{"not found", s.URL + "/gone.jpg", "", "returned 404"},
		{"truncated response", s.URL + "/cut.jpg", "", "closed the connection"},
		{"endless redirects", s.URL + "/circle.jpg", "", "more than 5 times"},
		{"a redirect to another scheme", s.URL + "/file.jpg", "", "not http or https"},
		{"a redirect to a private address", s.URL + "/inside.jpg", "", "not public"},
		{"a local file", "file:///etc/passwd", "", "is not valid"},
		{"another scheme", "gopher://example.org/a", "", "not an http or https URL"},
		{"a user name", "http://me:secret@example.org/a", "", "user name"},
		{"an invalid URL", "http://[", "", "is not valid"},
		{"an unknown host", "http://does-not-exist.invalid/a.jpg", "", "cannot be resolved"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := c.Check(t.Context(), []evidence.File{{URL: tt.url, Name: "x"}}, upTo(5, 2000))
			require.NoError(t, err)
			if tt.reason == "" {
				require.Equal(t, []evidence.File{{URL: tt.url, Name: tt.file}}, v.Files, "left out: %v", v.LeftOut)
				return
			}
			require.Empty(t, v.Files)
			require.Len(t, v.LeftOut, 1)
			require.Contains(t, v.LeftOut[0].Reason, tt.reason)
			require.NotContains(t, v.LeftOut[0].Reason, "127.0.0.1", "the reason contains the address")
		})
	}
}

func TestCheckRefusesLoopbackByDefault(t *testing.T) {
	t.Parallel()
	hits := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	t.Cleanup(s.Close)
	c := evidence.New(evidence.Options{})
	for _, u := range []string{s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), strings.Replace(s.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		v, err := c.Check(t.Context(), []evidence.File{{URL: u, Name: "x"}}, upTo(1, 100))
		require.NoError(t, err)
		require.Len(t, v.LeftOut, 1, u)
	}
	require.Zero(t, hits)
}

func TestCheckDropsDuplicatesAndExcess(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := evidence.New(evidence.Options{AllowLoopback: true})
	v, err := c.Check(t.Context(), []evidence.File{
		{URL: s.URL + "/a.jpg", Name: "one"},
		{URL: s.URL + "/copy-of-a.jpg", Name: "two"},
		{URL: s.URL + "/gone.jpg", Name: "three"},
		{URL: s.URL + "/b.png", Name: "four"},
		{URL: s.URL + "/paper.pdf", Name: "five"},
	}, upTo(2, 1<<20))
	require.NoError(t, err)
	require.Equal(t, []string{"one.jpg", "four.png"}, []string{v.Files[0].Name, v.Files[1].Name})
	require.Len(t, v.LeftOut, 3)
	require.Equal(t, "the file is a duplicate of one.jpg", v.LeftOut[0].Reason)
	require.Equal(t, "the limit of 2 files is reached", v.LeftOut[2].Reason)
}

func TestCheckFailsWithCanceledContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := evidence.New(evidence.Options{}).Check(ctx, []evidence.File{{URL: "http://example.org", Name: "x"}}, upTo(1, 1))
	require.ErrorIs(t, err, context.Canceled)
}

func TestCandidateNamesAndOrder(t *testing.T) {
	t.Parallel()
	files := evidence.Candidates([]evidence.Photos{
		{Kind: evidence.KindItem, SKU: "MUG/01 blue", URLs: []string{"http://a/1", "http://a/2", "http://a/1"}},
		{Kind: evidence.KindItem, SKU: "", URLs: []string{"http://a/3"}},
		{Kind: evidence.KindClaim, URLs: []string{"http://a/4", "", "http://a/4?x=1"}},
		{Kind: evidence.KindOptional, URLs: []string{"http://a/5"}},
		{Kind: evidence.KindSignature, URLs: []string{"http://a/6"}},
	})
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	require.Equal(t, []string{
		"MUG-01-blue-photo-1", "MUG-01-blue-photo-2", "item-photo-1", "photo-1", "photo-2", "extra-photo-1", "signature",
	}, names)
}
