// Package evidence decides which of a claim's files are offered to Dixa.
//
// Dixa copies the file that a URL serves, and rejects a whole conversation if one
// file cannot be copied. So every file is checked before it is offered: its address
// is public, including after redirects and at the time of connecting; its bytes are
// of a type that the shop wants; it is not too large; and it is not offered twice.
package evidence

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// File is a photo, video or document that a claim names.
type File struct {
	// URL is the file's address. It is personal data.
	URL string `json:"url"`
	// Name is the display name, such as "SKU-photo-1.jpg". Before the check it has
	// no extension, and everything is a photo.
	Name string `json:"name"`
}

// LeftOut is a file that is not offered, with the reason in words.
type LeftOut struct {
	File
	Reason string `json:"reason"`
}

// Result is the decision of [Checker.Check].
type Result struct {
	Files   []File    `json:"files"`
	LeftOut []LeftOut `json:"left_out"`
}

// Limits bound what is offered.
type Limits struct {
	// Files is the maximum number of files.
	Files int
	// Bytes is the maximum size of a file of each type. A type that is missing or
	// has 0 is left out.
	Bytes map[Type]int
}

// largest returns the maximum size of a file of any type.
func (l Limits) largest() int {
	most := 0
	for _, n := range l.Bytes {
		most = max(most, n)
	}
	return most
}

// Options configure how a [Checker] reaches the files.
type Options struct {
	// AllowLoopback allows files served from this machine. Only for development: the
	// quickstart serves its sample photos itself.
	AllowLoopback bool
	// Timeout bounds the check of one file. Defaults to 10 s.
	Timeout time.Duration
	// Total bounds all file checks of one call, including waiting for their turn.
	// Defaults to 60 s.
	Total time.Duration
}

// Checker checks files. It is safe for concurrent use. A process should have one,
// because it bounds how many files are checked at once.
type Checker struct {
	client         *http.Client
	timeout, total time.Duration
	turns          chan struct{}
}

const (
	maxRedirects = 5
	// parallel bounds the files of one claim that are checked at once, and
	// parallelAll those of all claims.
	parallel    = 4
	parallelAll = 16
	// spare is how many addresses to check beyond twice the wanted number of files:
	// a claim can name thousands.
	spare = 20
	// sniffed is how many bytes of a file determine its type: as many as mimetype
	// reads.
	sniffed = 4 << 10
	// telling is how many bytes of a video identify it, together with its length.
	telling = 1 << 20
)

// untimely is the reason for files that were not checked in time.
const untimely = "not checked in time"

// errRedirects and errScheme say why a redirect is not followed.
var (
	errRedirects = errors.New("the server redirects more than 5 times")
	errScheme    = errors.New("the server redirects to a URL that is not http or https")
)

// New creates a checker.
func New(o Options) *Checker {
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.Total = cmp.Or(o.Total, 60*time.Second)
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
			CheckRedirect: CheckRedirect,
		},
	}
}

// inspection is the result of checking one file. With a reason, the file cannot be
// offered.
type inspection struct {
	kind        Type
	ext, reason string
	sum         [sha256.Size]byte
}

// Check checks the files in order and returns which to offer. It checks until it has
// as many as the limits admit, at no more than twice that number plus 20 addresses,
// and for no longer than [Options].Total. Unchecked files are left out. It fails
// only if ctx ends.
func (c *Checker) Check(ctx context.Context, files []File, limits Limits) (Result, error) {
	most := 0
	if limits.Files > 0 {
		most = min(len(files), 2*limits.Files+spare)
	}
	var running sync.WaitGroup
	defer running.Wait()
	looking, stop := context.WithTimeout(ctx, c.total)
	defer stop()
	looks := make([]chan inspection, most)
	for i := range looks {
		looks[i] = make(chan inspection, 1)
	}
	var next atomic.Int64
	for range min(parallel, most) {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(most); i = next.Add(1) - 1 {
				looks[i] <- c.inTurn(looking, files[i].URL, limits)
			}
		})
	}

	v := Result{Files: []File{}, LeftOut: []LeftOut{}}
	seen := map[[sha256.Size]byte]string{}
	for i, f := range files {
		var l inspection
		switch {
		case len(v.Files) >= limits.Files:
			l.reason = fmt.Sprintf("the limit of %d files is reached", limits.Files)
		case i >= most:
			l.reason = "not checked: the claim has too many files"
		default:
			l = <-looks[i]
		}
		f.Name = l.kind.named(f.Name) + l.ext
		if twin, ok := seen[l.sum]; ok && l.reason == "" {
			l.reason = "the file is a duplicate of " + twin
		}
		if l.reason != "" {
			v.LeftOut = append(v.LeftOut, LeftOut{File: f, Reason: l.reason})
			continue
		}
		seen[l.sum] = f.Name
		v.Files = append(v.Files, f)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("check %d files: %w", len(files), err)
	}
	return v, nil
}

// inTurn checks a file once fewer than [parallelAll] checks are running.
func (c *Checker) inTurn(ctx context.Context, raw string, limits Limits) inspection {
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // also if a turn was free
		return inspection{reason: untimely}
	}
	l := c.inspect(ctx, raw, limits)
	if l.reason != "" && ctx.Err() != nil {
		l.reason = untimely
	}
	return l
}

// inspect fetches one file and keeps only the bytes that determine its type. Of a video
// with known length it fetches only enough to distinguish it from others.
func (c *Checker) inspect(ctx context.Context, raw string, limits Limits) inspection {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return inspection{reason: "the address is not valid"}
	case u.Scheme != "http" && u.Scheme != "https":
		return inspection{reason: "the address is not an http or https URL"}
	case u.User != nil:
		return inspection{reason: "the address contains a user name"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return inspection{reason: "the address is not valid"}
	}
	req.Header.Set("Accept", "image/*, application/pdf, video/*")
	resp, err := c.client.Do(req)
	if err != nil {
		return inspection{reason: Unreachable(err)}
	}
	defer func() { _ = resp.Body.Close() }() // the bytes read are checked on their own
	if resp.StatusCode != http.StatusOK {
		return inspection{reason: fmt.Sprintf("the server returned %d", resp.StatusCode)}
	}
	if most := limits.largest(); resp.ContentLength > int64(most) {
		return inspection{reason: tooLarge(most)}
	}
	var head bytes.Buffer
	hash := sha256.New()
	size, err := io.CopyN(io.MultiWriter(&head, hash), resp.Body, sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return inspection{reason: "the server closed the connection"}
	}
	if size == 0 {
		return inspection{reason: "the file is empty"}
	}
	kind, ext, found := typeOf(head.Bytes())
	maxBytes := limits.Bytes[kind]
	if kind == "" || maxBytes <= 0 {
		return inspection{reason: "the file type is not accepted: " + found}
	}
	if resp.ContentLength > int64(maxBytes) {
		return inspection{kind: kind, ext: ext, reason: tooLarge(maxBytes)}
	}
	wanted := int64(maxBytes) + 1 - size
	if kind.video() && resp.ContentLength > telling {
		_, _ = fmt.Fprintf(hash, "of %d bytes", resp.ContentLength) // writing to a hash never fails
		wanted = telling - size
	}
	rest, err := io.Copy(hash, io.LimitReader(resp.Body, wanted))
	switch {
	case err != nil:
		return inspection{reason: "the server closed the connection"}
	case size+rest > int64(maxBytes):
		return inspection{kind: kind, ext: ext, reason: tooLarge(maxBytes)}
	}
	return inspection{kind: kind, ext: ext, sum: [sha256.Size]byte(hash.Sum(nil))}
}

func tooLarge(maxBytes int) string {
	return fmt.Sprintf("the file is larger than %.3g MB", float64(maxBytes)/(1<<20))
}
