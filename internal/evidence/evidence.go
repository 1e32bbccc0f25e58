// Package evidence decides which of a claim's photos are offered to Dixa.
//
// Dixa copies what a URL serves, and refuses a whole conversation when one file
// cannot be copied. So every file is looked at before it is offered: that its
// address is a public one, also after redirects and at the moment of connecting,
// that it is an image or a PDF by its bytes, not too large, and not offered
// twice.
package evidence

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"code.dny.dev/ssrf"
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
}

// Checker looks at files. It is safe for concurrent use.
type Checker struct {
	client  *http.Client
	timeout time.Duration
}

const (
	maxRedirects = 5
	// parallel bounds the files of one claim that are looked at at once.
	parallel = 4
)

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
	guards := []ssrf.Option{ssrf.WithAnyPort(), ssrf.WithNetworks("tcp4", "tcp6")}
	if o.AllowLoopback {
		guards = append(guards,
			ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix("127.0.0.0/8")),
			ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("::1/128")))
	}
	// The guard sees the address that is connected to, after the name was
	// resolved, so neither a redirect nor a name that changes its mind gets by.
	dialer := &net.Dialer{Timeout: o.Timeout, Control: ssrf.New(guards...).Safe}
	return &Checker{
		timeout: o.Timeout,
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
			CheckRedirect: func(r *http.Request, via []*http.Request) error {
				if len(via) >= maxRedirects {
					return errRedirects
				}
				if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
					return errScheme
				}
				return nil
			},
		},
	}
}

// Check looks at the files, in their order, and says which to offer. It fails
// only when ctx ends; a file that cannot be looked at is left out.
func (c *Checker) Check(ctx context.Context, files []File, limits Limits) (Verdict, error) {
	type look struct {
		ext, reason string
		sum         [sha256.Size]byte
	}
	looks := make([]look, len(files))
	gate := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, f := range files {
		wg.Add(1)
		go func() {
			defer wg.Done()
			gate <- struct{}{}
			defer func() { <-gate }()
			looks[i].ext, looks[i].sum, looks[i].reason = c.look(ctx, f.URL, limits.Bytes)
		}()
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return Verdict{}, fmt.Errorf("look at %d files: %w", len(files), err)
	}

	v := Verdict{Files: []File{}, LeftOut: []LeftOut{}}
	seen := map[[sha256.Size]byte]string{}
	for i, f := range files {
		reason := looks[i].reason
		f.Name += looks[i].ext
		if reason == "" {
			if twin, ok := seen[looks[i].sum]; ok {
				reason = "is the same file as " + twin
			} else if len(v.Files) >= limits.Files {
				reason = fmt.Sprintf("more than %d files", limits.Files)
			}
		}
		if reason != "" {
			v.LeftOut = append(v.LeftOut, LeftOut{File: f, Reason: reason})
			continue
		}
		seen[looks[i].sum] = f.Name
		v.Files = append(v.Files, f)
	}
	return v, nil
}

// look fetches one file. A reason means that it cannot be offered.
func (c *Checker) look(ctx context.Context, raw string, maxBytes int) (ext string, sum [sha256.Size]byte, reason string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return "", sum, "its address cannot be read"
	case u.Scheme != "http" && u.Scheme != "https":
		return "", sum, "its address is not http or https"
	case u.User != nil:
		return "", sum, "its address holds a user name"
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", sum, "its address cannot be read"
	}
	req.Header.Set("Accept", "image/*, application/pdf")
	resp, err := c.client.Do(req)
	if err != nil {
		return "", sum, unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }() // what was read is judged by itself
	if resp.StatusCode != http.StatusOK {
		return "", sum, fmt.Sprintf("its server answers %d", resp.StatusCode)
	}
	if resp.ContentLength > int64(maxBytes) {
		return "", sum, tooLarge(maxBytes)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(maxBytes)+1))
	switch {
	case err != nil:
		return "", sum, "its server breaks off"
	case len(body) > maxBytes:
		return "", sum, tooLarge(maxBytes)
	case len(body) == 0:
		return "", sum, "is empty"
	}
	kind := mimetype.Detect(body)
	if !accepted(kind) {
		return "", sum, "is neither an image nor a PDF but " + kind.String()
	}
	return kind.Extension(), sha256.Sum256(body), ""
}

// accepted keeps out SVG: it is an image that can carry script.
func accepted(kind *mimetype.MIME) bool {
	name, _, _ := strings.Cut(kind.String(), ";")
	return name == "application/pdf" || strings.HasPrefix(name, "image/") && name != "image/svg+xml"
}

func tooLarge(maxBytes int) string {
	return fmt.Sprintf("is larger than %.3g MB", float64(maxBytes)/(1<<20))
}

// unreachable says why a file was not reached, without its address.
func unreachable(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork), errors.Is(err, ssrf.ErrProhibitedPort):
		return "its address is not a public one"
	case errors.Is(err, errRedirects):
		return errRedirects.Error()
	case errors.Is(err, errScheme):
		return errScheme.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "its server does not answer in time"
	case errors.As(err, &dns):
		return "its server's name is not known"
	default:
		return "its server cannot be reached"
	}
}
