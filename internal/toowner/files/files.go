// Package files fetches the files of messages from where Dixa keeps them.
//
// A message names its files by addresses. Those of Dixa's own are private: they
// open with the token that the API takes, which no other host is ever sent. Any
// other address is fetched without it, from public addresses only.
package files

import (
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
	// DefaultBaseURL is where Dixa keeps files.
	DefaultBaseURL = "https://files.dixa.io"
	// MaxBytes is how large a file may be.
	MaxBytes = 50 << 20

	// bearer is the user name that goes with a token for Dixa's files, which take
	// HTTP Basic (RFC 7617) where the API takes the token by itself.
	bearer = "bearer"
)

// Options say where files are.
type Options struct {
	// Store has the claims' messages and the tokens. Required.
	Store *store.Store
	// BaseURL is the address below which Dixa keeps files. Defaults to
	// [DefaultBaseURL].
	BaseURL string
	// AllowLoopback takes files that are not Dixa's from this machine too. For
	// development only.
	AllowLoopback bool
	// Timeout bounds connecting, and the wait for the first byte. Defaults to
	// 15 s. The context bounds the whole.
	Timeout time.Duration
}

// Files fetches files. It is safe for concurrent use.
type Files struct {
	store *store.Store
	base  *url.URL
	// own reaches Dixa's host, wherever the configuration has it, others the
	// public hosts.
	own, others http.RoundTripper
}

// File is a file that is being fetched. Close Body.
type File struct {
	// Name is what people know it by; it may be empty.
	Name string
	// Type is its media type as its server has it, such as image/jpeg.
	Type string
	// Size is in bytes; -1 where its server does not say.
	Size int64
	// Body fails with a [*http.MaxBytesError] beyond [MaxBytes], and where the
	// server breaks off.
	Body io.ReadCloser
}

// Reason is why a file cannot be fetched.
type Reason int

// The reasons of a [FetchError].
const (
	Unreachable  Reason = iota // nobody gave it; another try may succeed
	Gone                       // Dixa has it no more
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

// New makes a fetcher.
func New(o Options) (*Files, error) {
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	base, err := url.Parse(strings.TrimSuffix(o.BaseURL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the address of Dixa's files must be an http or https address like " + DefaultBaseURL + ", without user, query and fragment")
	}
	// What is streamed is what the server stores, so that its size is known.
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

// Open begins to fetch a file of a message of a claim's conversation. Where the
// claim has no such message, or that no such file, the error is
// [store.ErrNotFound]; where the file cannot be had it is a [*FetchError].
func (f *Files) Open(ctx context.Context, ref claim.Ref, message, attachment string) (*File, error) {
	m, err := f.store.Conversations.Message(ctx, ref, message)
	if err != nil {
		return nil, err
	}
	for _, a := range m.Attachments {
		if a.ID == attachment && a.Source != "" {
			return f.fetch(ctx, ref, a)
		}
	}
	return nil, fmt.Errorf("message %s has no attachment %s: %w", message, attachment, store.ErrNotFound)
}

func (f *Files) fetch(ctx context.Context, ref claim.Ref, a claim.MessageAttachment) (*File, error) {
	target, err := f.locate(a.Source)
	if err != nil {
		return nil, err
	}
	way := &way{files: f}
	if f.isOwn(target) {
		if way.token, err = f.token(ctx, ref); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, failed(Unreachable, "the file's address cannot be read")
	}
	request.Header.Set("User-Agent", "claimflow")
	client := &http.Client{Transport: way, CheckRedirect: evidence.Redirect}
	response, err := client.Do(request)
	if err != nil {
		return nil, failed(Unreachable, "the file cannot be fetched: %s", evidence.Unreachable(err))
	}
	if err := refusal(response, way.token != ""); err != nil {
		_ = response.Body.Close() // nothing of it is wanted
		return nil, err
	}
	return &File{
		Name: a.Name, Type: mediaType(response.Header.Get("Content-Type")), Size: response.ContentLength,
		Body: http.MaxBytesReader(nil, response.Body, MaxBytes),
	}, nil
}

// locate makes an address of what a message says of a file: Dixa's API names
// whole addresses, its events paths.
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
	return nil, failed(Unreachable, "the file's address cannot be read")
}

// isOwn reports whether an address is below that of Dixa's files.
func (f *Files) isOwn(u *url.URL) bool {
	if u.Scheme != f.base.Scheme || !strings.EqualFold(u.Host, f.base.Host) {
		return false
	}
	// As a server would resolve it, percent-encoding included: dots must not lead
	// out.
	return strings.HasPrefix(path.Clean(u.Path)+"/", f.base.Path+"/")
}

// token is that of the connection which the claim's conversation is in.
func (f *Files) token(ctx context.Context, ref claim.Ref) (string, error) {
	work, err := f.store.Claims.Load(ctx, ref)
	if err != nil {
		return "", err
	}
	if work.ConnectionState == claim.ConnectionNeedsToken {
		return "", failed(TokenRefused, "Dixa refused the shop's token, so its files cannot be fetched; save a new one with `starter shop connect %s`", ref.Shop)
	}
	token, _, err := f.store.Connections.Token(ctx, work.ConnectionID)
	if errors.Is(err, store.ErrNotFound) {
		return "", failed(TokenRefused, "the shop has no Dixa token, so its files cannot be fetched; save one with `starter shop connect %s`", ref.Shop)
	}
	return token, err
}

// way carries the requests of one fetch, redirects included. The token is on
// none of them until it is known where the request goes.
type way struct {
	files *Files
	token string // empty where the first address is not Dixa's
}

// RoundTrip sends the token to Dixa's host and to no other.
func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	r.Header.Del("Referer") // an address of Dixa's is nobody else's business
	if w.token == "" || !w.files.isOwn(r.URL) {
		return w.files.others.RoundTrip(r)
	}
	r.SetBasicAuth(bearer, w.token)
	return w.files.own.RoundTrip(r)
}

// refusal is why an answer is not the file.
func refusal(r *http.Response, own bool) error {
	switch status := r.StatusCode; {
	case status == http.StatusOK && r.ContentLength > MaxBytes:
		return failed(TooLarge, "the file is larger than %d MiB", MaxBytes>>20)
	case status == http.StatusOK:
		return nil
	case status == http.StatusNotFound || status == http.StatusGone:
		return failed(Gone, "the file is not there any more")
	case own && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return failed(TokenRefused, "Dixa refuses the shop's token for the file (%d)", status)
	default:
		return failed(Unreachable, "the file cannot be fetched: its server answers %d", status)
	}
}

// mediaType is a media type that is well formed, whatever the server says.
func mediaType(header string) string {
	if kind, parameters, err := mime.ParseMediaType(header); err == nil && strings.Contains(kind, "/") {
		if formatted := mime.FormatMediaType(kind, parameters); formatted != "" {
			return formatted
		}
	}
	return "application/octet-stream"
}
