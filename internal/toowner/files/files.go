// Package files fetches the files of messages from Dixa's file storage.
//
// A message refers to its files by address. Dixa's own addresses are private and
// require the API token, which is never sent to another host. Any other address is
// fetched without the token, and only if it is public.
package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/todixa/evidence"
	"github.com/claimflow/claimflow/store"
)

const (
	// DefaultBaseURL is the address of Dixa's file storage.
	DefaultBaseURL = "https://files.dixa.io"
	// MaxBytes is the maximum size of a file.
	MaxBytes = 50 << 20

	// bearer is the user name that goes with a token for Dixa's files. They require
	// HTTP Basic (RFC 7617), while the API takes the bare token.
	bearer = "bearer"
)

// Options configure where files are.
type Options struct {
	// Store has the claims' messages and the tokens. Required.
	Store *store.Store
	// BaseURL is the address below which Dixa stores files. Defaults to
	// [DefaultBaseURL].
	BaseURL string
	// AllowLoopback also fetches files that are not Dixa's from this machine. For
	// development only.
	AllowLoopback bool
	// Timeout bounds connecting and the wait for the first byte. Defaults to 15 s.
	// The context bounds the whole fetch.
	Timeout time.Duration
}

// Files fetches files. It is safe for concurrent use.
type Files struct {
	store *store.Store
	base  *url.URL
	// own reaches Dixa's host, wherever it is configured; others reaches public
	// hosts.
	own, others http.RoundTripper
}

// File is a file that is being fetched. Close Body.
type File struct {
	// Name is the display name; it may be empty.
	Name string
	// Type is the media type that the server reports, such as image/jpeg.
	Type string
	// Size is in bytes; -1 if the server does not report it.
	Size int64
	// Reading Body fails with a [*http.MaxBytesError] after [MaxBytes], and with
	// another error if the server closes the connection early.
	Body io.ReadCloser
}

// Reason is why a file cannot be fetched.
type Reason int

// The reasons of a [FetchError].
const (
	Unreachable  Reason = iota // no server returned it; a retry may succeed
	Gone                       // Dixa has deleted it
	TokenRefused               // the connection needs another token
	TooLarge                   // it is larger than [MaxBytes]
)

// FetchError says why a file cannot be fetched, without its address.
type FetchError struct {
	Reason Reason
	words  string
}

func (e *FetchError) Error() string { return e.words }

func failed(reason Reason, format string, args ...any) error {
	return &FetchError{Reason: reason, words: fmt.Sprintf(format, args...)}
}

// New creates a fetcher.
func New(o Options) (*Files, error) {
	o.BaseURL = cmp.Or(o.BaseURL, DefaultBaseURL)
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	base, err := url.Parse(strings.TrimSuffix(o.BaseURL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the address of Dixa's files must be an http or https URL such as " + DefaultBaseURL + ", without user, query or fragment")
	}
	// Without compression, the size of the streamed file is known.
	own := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout,
		MaxResponseHeaderBytes: maxHeader, IdleConnTimeout: idle, DisableCompression: true,
	}
	others := own.Clone()
	others.Proxy = nil
	others.DialContext = evidence.Dialer(o.AllowLoopback, o.Timeout).DialContext
	return &Files{store: o.Store, base: base, own: own, others: others}, nil
}

const (
	maxHeader = 64 << 10
	idle      = 30 * time.Second
)

// Open starts fetching a file of a message in a claim's conversation. If the claim
// has no such message, or the message no such file, the error is
// [store.ErrNotFound]. If the file cannot be fetched, it is a [*FetchError].
func (f *Files) Open(ctx context.Context, ref claim.Ref, message, attachment string) (*File, error) {
	m, err := f.store.Conversations.Message(ctx, ref, message)
	if err != nil {
		return nil, err
	}
	for _, a := range m.Attachments {
		if a.ID == attachment && a.Source != "" {
			return f.fetch(ctx, a, func() (string, error) { return f.token(ctx, ref) })
		}
	}
	return nil, fmt.Errorf("message %s has no attachment %s: %w", message, attachment, store.ErrNotFound)
}

// OpenOf is like [Files.Open] for a file of a message in any conversation of a
// connection.
func (f *Files) OpenOf(ctx context.Context, connectionID string, a claim.MessageAttachment) (*File, error) {
	return f.fetch(ctx, a, func() (string, error) {
		c, err := f.store.Connections.Get(ctx, connectionID)
		if err != nil {
			return "", err
		}
		if c.State == claim.ConnectionNeedsToken {
			return "", failed(TokenRefused, "Dixa rejected the account's token, so its files cannot be fetched; save a new one with `starter shop connect`")
		}
		token, _, err := f.store.Connections.Token(ctx, connectionID)
		return token, err
	})
}

// fetch starts fetching a file. It calls token only if the file is Dixa's.
func (f *Files) fetch(ctx context.Context, a claim.MessageAttachment, token func() (string, error)) (*File, error) {
	target, err := f.locate(a.Source)
	if err != nil {
		return nil, err
	}
	way := &way{files: f}
	if f.isOwn(target) {
		if way.token, err = token(); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, failed(Unreachable, "the file's address is not valid")
	}
	request.Header.Set("User-Agent", "claimflow")
	client := &http.Client{Transport: way, CheckRedirect: evidence.CheckRedirect}
	response, err := client.Do(request)
	if err != nil {
		return nil, failed(Unreachable, "the file cannot be fetched: %s", evidence.Unreachable(err))
	}
	if err := refusal(response, way.token != ""); err != nil {
		_ = response.Body.Close() // the body is not needed
		return nil, err
	}
	return &File{
		Name: a.Name, Type: mediaType(response.Header.Get("Content-Type")), Size: response.ContentLength,
		Body: http.MaxBytesReader(nil, response.Body, MaxBytes),
	}, nil
}

// locate builds a file's address from its source in a message: Dixa's API has full
// addresses, its events have paths.
func (f *Files) locate(source string) (*url.URL, error) {
	u, err := url.Parse(source)
	switch {
	case err != nil || u.User != nil || u.Opaque != "":
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
		below := *f.base
		below.Path, below.RawPath, below.RawQuery = f.base.Path+u.Path, "", u.RawQuery
		if f.isOwn(&below) {
			return &below, nil
		}
	case u.Host != "" && (u.Scheme == "https" || u.Scheme == "http"):
		return u, nil
	}
	return nil, failed(Unreachable, "the file's address is not valid")
}

// isOwn reports whether an address is below that of Dixa's files.
func (f *Files) isOwn(u *url.URL) bool {
	if u.Scheme != f.base.Scheme || !strings.EqualFold(u.Host, f.base.Host) {
		return false
	}
	// Cleans the decoded path as a server would: dots must not lead out of the base.
	return strings.HasPrefix(path.Clean(u.Path)+"/", f.base.Path+"/")
}

// token returns the token of the connection that the claim's conversation is in.
func (f *Files) token(ctx context.Context, ref claim.Ref) (string, error) {
	work, err := f.store.Claims.Load(ctx, ref)
	if err != nil {
		return "", err
	}
	if work.ConnectionState == claim.ConnectionNeedsToken {
		return "", failed(TokenRefused, "Dixa rejected the shop's token, so its files cannot be fetched; save a new one with `starter shop connect %s`", ref.Shop)
	}
	token, _, err := f.store.Connections.Token(ctx, work.ConnectionID)
	if errors.Is(err, store.ErrNotFound) {
		return "", failed(TokenRefused, "the shop has no Dixa token, so its files cannot be fetched; save one with `starter shop connect %s`", ref.Shop)
	}
	return token, err
}

// way carries the requests of one fetch, including redirects. It adds the token only
// once a request's destination is known.
type way struct {
	files *Files
	token string // empty if the first address is not Dixa's
}

// RoundTrip sends the token to Dixa's host and to no other.
func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	r.Header.Del("Referer") // do not leak Dixa addresses to other hosts
	if w.token == "" || !w.files.isOwn(r.URL) {
		return w.files.others.RoundTrip(r)
	}
	r.SetBasicAuth(bearer, w.token)
	return w.files.own.RoundTrip(r)
}

// refusal returns why an answer is not the file.
func refusal(r *http.Response, own bool) error {
	switch status := r.StatusCode; {
	case status == http.StatusOK && r.ContentLength > MaxBytes:
		return failed(TooLarge, "the file is larger than %d MiB", MaxBytes>>20)
	case status == http.StatusOK:
		return nil
	case status == http.StatusNotFound || status == http.StatusGone:
		return failed(Gone, "the file no longer exists")
	case own && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return failed(TokenRefused, "Dixa rejected the shop's token for the file (%d)", status)
	default:
		return failed(Unreachable, "the file cannot be fetched: the server returned %d", status)
	}
}

// mediaType returns a well-formed media type, whatever the server sends.
func mediaType(header string) string {
	if kind, parameters, err := mime.ParseMediaType(header); err == nil && strings.Contains(kind, "/") {
		if formatted := mime.FormatMediaType(kind, parameters); formatted != "" {
			return formatted
		}
	}
	return "application/octet-stream"
}
