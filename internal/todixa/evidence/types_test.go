package evidence_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/todixa/evidence"
)

// ftyp returns the start of an ISO base media file with its brands, the major brand
// first.
func ftyp(major string, compatible ...string) []byte {
	size := 16 + 4*len(compatible)
	head := []byte{0, 0, 0, byte(size)}
	head = append(head, "ftyp"+major+"\x00\x00\x02\x00"+strings.Join(compatible, "")...)
	return append(head, make([]byte, 64)...)
}

var (
	webm = append([]byte("\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webmB\x87\x81\x02"), make([]byte, 64)...)
	webp = append([]byte("RIFF\x24\x00\x00\x00WEBPVP8 "), make([]byte, 32)...)
	gif  = append([]byte("GIF89a"), make([]byte, 32)...)
)

// The file's name and the server's content type do not count.
func TestTypesAreDetectedFromContent(t *testing.T) {
	t.Parallel()
	const not = "the file type is not accepted"
	for name, tt := range map[string]struct {
		body []byte
		file string // its name, or empty if it is left out
	}{
		"JPEG":                     {jpg(t, 1), "front-photo-1.jpg"},
		"WebP":                     {webp, "front-photo-1.webp"},
		"GIF":                      {gif, "front-photo-1.gif"},
		"HEIC":                     {ftyp("heic", "mif1", "heic"), "front-photo-1.heic"},
		"HEIF of another brand":    {ftyp("mif1", "mif1", "heic"), "front-photo-1.heif"},
		"AVIF":                     {ftyp("avif", "avif", "mif1", "miaf"), "front-photo-1.avif"},
		"PDF":                      {[]byte("%PDF-1.7\n"), "front-document-1.pdf"},
		"MP4":                      {ftyp("isom", "isom", "iso2", "avc1", "mp41"), "front-video-1.mp4"},
		"MP4 of a phone":           {ftyp("mp42", "isom", "mp42"), "front-video-1.mp4"},
		"MP4 of an uncommon brand": {ftyp("XYZA", "isom", "mp42"), "front-video-1.mp4"},
		"M4V":                      {ftyp("M4V ", "M4V ", "mp42", "isom"), "front-video-1.m4v"},
		"3GP":                      {ftyp("3gp4", "3gp4", "isom"), "front-video-1.3gp"},
		"MOV":                      {ftyp("qt  ", "qt  "), "front-video-1.mov"},
		"WebM":                     {webm, "front-video-1.webm"},
		"sound":                    {ftyp("M4A ", "M4A ", "mp42", "isom"), ""},
		"SVG":                      {[]byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`), ""},
		"HTML":                     {[]byte("<!DOCTYPE html><script>alert(1)</script>"), ""},
		"an archive":               {append([]byte("PK\x03\x04"), make([]byte, 32)...), ""},
		"text":                     {[]byte("hello"), ""},
		"truncated header":         {[]byte("\x00\x00\x00\x20ftyp"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				write(t, w, tt.body)
			}))
			t.Cleanup(s.Close)
			v, err := evidence.New(evidence.Options{AllowLoopback: true}).Check(t.Context(),
				[]evidence.File{{URL: s.URL + "/picture.jpg", Name: "front-photo-1"}}, upTo(5, 1<<20))
			require.NoError(t, err)
			if tt.file == "" {
				require.Empty(t, v.Files)
				require.Contains(t, v.LeftOut[0].Reason, not)
				return
			}
			require.Len(t, v.Files, 1, "left out: %v", v.LeftOut)
			require.Equal(t, tt.file, v.Files[0].Name)
		})
	}
}

// Each type has its own limit. A type without a limit is left out.
func TestLimitsApplyPerType(t *testing.T) {
	t.Parallel()
	video := append(ftyp("isom", "isom"), make([]byte, 3000)...)
	mux := http.NewServeMux()
	mux.HandleFunc("/video", func(w http.ResponseWriter, _ *http.Request) { write(t, w, video) })
	mux.HandleFunc("/paper", func(w http.ResponseWriter, _ *http.Request) {
		write(t, w, append([]byte("%PDF-1.7\n"), make([]byte, 3000)...))
	})
	mux.HandleFunc("/clip", func(w http.ResponseWriter, _ *http.Request) { write(t, w, webm) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	v, err := evidence.New(evidence.Options{AllowLoopback: true}).Check(t.Context(), []evidence.File{
		{URL: s.URL + "/video", Name: "photo-1"}, {URL: s.URL + "/paper", Name: "photo-2"}, {URL: s.URL + "/clip", Name: "photo-3"},
	}, evidence.Limits{Files: 5, Bytes: map[evidence.Type]int{evidence.MP4: 4000, evidence.PDF: 1000}})
	require.NoError(t, err)
	require.Len(t, v.Files, 1)
	require.Equal(t, "video-1.mp4", v.Files[0].Name)
	require.Len(t, v.LeftOut, 2)
	require.Contains(t, v.LeftOut[0].Reason, "larger than")
	require.Equal(t, "document-2.pdf", v.LeftOut[0].Name)
	require.Contains(t, v.LeftOut[1].Reason, "not accepted: video/webm")
}

// A long video is identified without fetching all of it.
func TestLongVideoIsFetchedPartially(t *testing.T) {
	t.Parallel()
	const length = 20 << 20
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := length
		if r.URL.Path == "/longer" {
			size++
		}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		write(t, w, append(ftyp("isom", "isom"), make([]byte, 2<<20)...))
		<-r.Context().Done() // never sends the rest
	}))
	t.Cleanup(s.Close)
	v, err := evidence.New(evidence.Options{AllowLoopback: true}).Check(t.Context(), []evidence.File{
		{URL: s.URL + "/long", Name: "photo-1"}, {URL: s.URL + "/long?again", Name: "photo-2"}, {URL: s.URL + "/longer", Name: "photo-3"},
	}, upTo(5, 25<<20))
	require.NoError(t, err)
	require.Len(t, v.Files, 2, "left out: %v", v.LeftOut)
	require.Equal(t, "the file is a duplicate of video-1.mp4", v.LeftOut[0].Reason)
}
