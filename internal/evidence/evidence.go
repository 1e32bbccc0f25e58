// Package evidence decides which of a claim's photos are offered to Dixa.
//
// Dixa copies what a URL serves, and refuses a whole conversation when one file
// cannot be copied. So every file is looked at before it is offered: that its
// address is a public one, also after redirects and at the moment of connecting,
// that it is an image or a PDF by its bytes, not too large, and not offered
// twice.
package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gabriel-vasile/mimetype"
)

// File is a photo that a claim names.
type File struct {
	// URL is where the file is. It is personal data.
	URL string `json:"url"`
	// Name is what people see, such as "SKU-photo-1.jpg". Before the check it
	// has no extension.
	Name string `json:"name"`
}

// LeftOut is a file that is not offered, with the reason in words.
type LeftOut struct {
	File
	Reason string `json:"reason"`
}

// Verdict is what [Checker.Check] decided.
type Verdict struct {
	Files   []File    `json:"files"`
	LeftOut []LeftOut `json:"left_out"`
}

// Limits bound what is offered.
type Limits struct {
	Files int // how many at most
	Bytes int // how large one may be
}

// Options say how a [Checker] reaches the files.
type Options struct {
	// AllowLoopback lets files be served from this machine. Only for
	// development: the quickstart serves its sample photos itself.
	AllowLoopback bool
	// Timeout bounds the look at one file. Defaults to 10 s.
	Timeout time.Duration
	// Total bounds all the looks of one check, waiting for their turn included.
	// Defaults to 60 s.
	Total time.Duration
}

// Checker looks at files. It is safe for concurrent use: a process should have
// one, since it bounds how many files are looked at at once.
type Checker struct {
	client         *http.Client
	timeout, total time.Duration
	turns          chan struct{}
}

const (
	maxRedirects = 5
	// parallel bounds the files of one claim that are looked at at once, and
	// parallelAll those of all claims.
	parallel    = 4
	parallelAll = 16
	// spare is how many addresses beyond twice the files that are wanted are
	// looked at: a claim can name thousands.
	spare = 20
	// sniffed is how much of a file its type is told by, in bytes: as much as
	// mimetype looks at.
	sniffed = 4 << 10
)

// untimely is said of files that were not looked at before the time was up.
const untimely = "was not looked at in time"

// errRedirects and errScheme are why a redirect is not followed.
var (
	errRedirects = errors.New("redirects more than 5 times")
	errScheme    = errors.New("redirects to an address that is not http or https")
)

// New makes a checker.
func New(o Options) *Checker {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Total == 0 {
		o.Total = 60 * time.Second
	}
	dialer := Dialer(o.AllowLoopback, o.Timeout)
	return &Checker{
		timeout: o.Timeout,
		total:   o.Total,
		turns:   make(chan struct{}, parallelAll),
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:            dialer.DialContext,
				TLSHandshakeTimeout:    o.Timeout,
				ResponseHeaderTimeout:  o.Timeout,
				MaxResponseHeaderBytes: 64 << 10,
				MaxIdleConnsPerHost:    parallel,
				IdleConnTimeout:        30 * time.Second,
				Proxy:                  nil, // a proxy would connect where the guard cannot see
			},
			CheckRedirect: Redirect,
		},
	}
}

// look is what one file turned out to be. A reason means that it cannot be
// offered.
type look struct {
	ext, reason string
	sum         [sha256.Size]byte
}

// Check looks at the files, in their order, and says which to offer. It looks
// until it has as many as the limits admit, at no more than twice that and 20
// addresses, and no longer than [Options].Total; what it did not look at is left
// out. It fails only when ctx ends.
func (c *Checker) Check(ctx context.Context, files []File, limits Limits) (Verdict, error) {
	most := 0
	if limits.Files > 0 {
		most = min(len(files), 2*limits.Files+spare)
	}
	var running sync.WaitGroup
	defer running.Wait()
	looking, stop := context.WithTimeout(ctx, c.total)
	defer stop()
	looks := make([]chan look, most)
	for i := range looks {
		looks[i] = make(chan look, 1)
	}
	var next atomic.Int64
	for range min(parallel, most) {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(most); i = next.Add(1) - 1 {
				looks[i] <- c.inTurn(looking, files[i].URL, limits.Bytes)
			}
		})
	}

	v := Verdict{Files: []File{}, LeftOut: []LeftOut{}}
	seen := map[[sha256.Size]byte]string{}
	for i, f := range files {
		var l look
		switch {
		case len(v.Files) >= limits.Files:
			l.reason = fmt.Sprintf("more than %d files", limits.Files)
		case i >= most:
			l.reason = "too many files"
		default:
			l = <-looks[i]
		}
		f.Name += l.ext
		if twin, ok := seen[l.sum]; ok && l.reason == "" {
			l.reason = "is the same file as " + twin
		}
		if l.reason != "" {
			v.LeftOut = append(v.LeftOut, LeftOut{File: f, Reason: l.reason})
			continue
		}
		seen[l.sum] = f.Name
		v.Files = append(v.Files, f)
	}
	if err := ctx.Err(); err != nil {
		return Verdict{}, fmt.Errorf("look at %d files: %w", len(files), err)
	}
	return v, nil
}

// inTurn looks at a file when fewer than [parallelAll] are being looked at.
func (c *Checker) inTurn(ctx context.Context, raw string, maxBytes int) look {
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // also where a turn was free
		return look{reason: untimely}
	}
	l := c.look(ctx, raw, maxBytes)
	if l.reason != "" && ctx.Err() != nil {
		l.reason = untimely
	}
	return l
}

// look fetches one file, of which it keeps no more than tells its type.
func (c *Checker) look(ctx context.Context, raw string, maxBytes int) look {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return look{reason: "its address cannot be read"}
	case u.Scheme != "http" && u.Scheme != "https":
		return look{reason: "its address is not http or https"}
	case u.User != nil:
		return look{reason: "its address holds a user name"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return look{reason: "its address cannot be read"}
	}
	req.Header.Set("Accept", "image/*, application/pdf")
	resp, err := c.client.Do(req)
	if err != nil {
		return look{reason: Unreachable(err)}
	}
	defer func() { _ = resp.Body.Close() }() // what was read is judged by itself
	if resp.StatusCode != http.StatusOK {
		return look{reason: fmt.Sprintf("its server answers %d", resp.StatusCode)}
	}
	if resp.ContentLength > int64(maxBytes) {
		return look{reason: tooLarge(maxBytes)}
	}
	body := io.LimitReader(resp.Body, int64(maxBytes)+1)
	var head bytes.Buffer
	hash := sha256.New()
	size, err := io.CopyN(io.MultiWriter(&head, hash), body, sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return look{reason: "its server breaks off"}
	}
	if size == 0 {
		return look{reason: "is empty"}
	}
	kind := mimetype.Detect(head.Bytes())
	if !accepted(kind) {
		return look{reason: "is neither an image nor a PDF but " + kind.String()}
	}
	rest, err := io.Copy(hash, body)
	switch {
	case err != nil:
		return look{reason: "its server breaks off"}
	case size+rest > int64(maxBytes):
		return look{reason: tooLarge(maxBytes)}
	}
	return look{ext: kind.Extension(), sum: [sha256.Size]byte(hash.Sum(nil))}
}

// accepted keeps out SVG: it is an image that can carry script.
func accepted(kind *mimetype.MIME) bool {
	name, _, _ := strings.Cut(kind.String(), ";")
	return name == "application/pdf" || strings.HasPrefix(name, "image/") && name != "image/svg+xml"
}

func tooLarge(maxBytes int) string {
	return fmt.Sprintf("is larger than %.3g MB", float64(maxBytes)/(1<<20))
}
