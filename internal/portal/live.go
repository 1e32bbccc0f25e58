package portal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/claimflow/claimflow/store"
)

const (
	// heartbeat keeps proxies from ending a quiet stream.
	heartbeat = 15 * time.Second
	// liveFor is how long a stream lasts. The browser then opens another, so that a
	// service that shuts down does not wait for it.
	liveFor = 90 * time.Second

	endedEvent = "event: ended\ndata:\n\n"
)

type fragmentKey struct{}

// fragment is the live part of a page.
type fragment struct {
	bytes.Buffer
	// every is how often the page looks for news; zero for the usual.
	every time.Duration
}

// isFragment returns where the live part of a page goes, or nil if the whole page is
// wanted.
func isFragment(ctx context.Context) *fragment {
	f, _ := ctx.Value(fragmentKey{}).(*fragment)
	return f
}

// news serves [visit.live]. A session that has ended gets a stream that says so: a browser
// would take another answer for a failure and say nothing.
func (p *Portal) news() http.HandlerFunc {
	live := p.inSession("", "", (*visit).live)
	return func(w http.ResponseWriter, r *http.Request) {
		if session, err := p.sessionOf(r); errors.Is(err, store.ErrPortalSession) && session.ID != "" {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = fmt.Fprint(w, endedEvent) // the browser may have gone
			return
		}
		live(w, r)
	}
}

// live streams the live part of a page as server-sent events, whenever it changes. The
// event's id is a digest of it.
func (v *visit) live() error {
	target, err := url.Parse(ownPath(v.r.URL.Query().Get("page")))
	if err != nil || strings.HasPrefix(target.Path, "/portal/live") {
		return errNotFound
	}
	stream := http.NewResponseController(v.w)
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.Header().Set("X-Accel-Buffering", "no")
	last, quiet := v.r.Header.Get("Last-Event-ID"), time.Duration(0)
	part, due := &fragment{}, time.Duration(0)
	tick := time.NewTicker(v.LiveEvery)
	defer tick.Stop()
	end := time.After(liveFor)
	for {
		if due <= 0 {
			part, err = v.livePart(target)
			due = part.every
		} else {
			_, err = v.sessionOf(v.r)
		}
		if errors.Is(err, store.ErrPortalSession) {
			_, _ = fmt.Fprint(v.w, endedEvent)
			return nil
		}
		if err != nil {
			return nil // noted by the page; the browser connects again
		}
		sum := sha256.Sum256(part.Bytes())
		id := hex.EncodeToString(sum[:8])
		var message string
		switch {
		case id != last:
			message = "id: " + id + "\nevent: news\ndata: " + strings.ReplaceAll(part.String(), "\n", "\ndata: ") + "\n\n"
		case quiet >= heartbeat:
			message = ": still here\n\n"
		}
		if message != "" {
			last, quiet = id, 0
			if err := stream.SetWriteDeadline(time.Now().Add(heartbeat)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return nil // the browser has gone
			}
			if _, err := fmt.Fprint(v.w, message); err != nil || stream.Flush() != nil {
				return nil // the browser has gone
			}
		}
		select {
		case <-v.r.Context().Done():
			return nil
		case <-end:
			return nil
		case <-tick.C:
			quiet += v.LiveEvery
			due -= v.LiveEvery
		}
	}
}

// livePart renders the live part of a page for the session of the stream, if it has not
// ended.
func (v *visit) livePart(target *url.URL) (*fragment, error) {
	part := &fragment{}
	if _, err := v.sessionOf(v.r); err != nil {
		return part, err
	}
	ctx := context.WithValue(v.r.Context(), fragmentKey{}, part)
	r := v.r.Clone(ctx)
	r.Method, r.URL, r.RequestURI, r.Body = http.MethodGet, target, target.String(), http.NoBody
	discarded := &pipedResponse{header: http.Header{}, begun: make(chan struct{})}
	v.mux.ServeHTTP(discarded, r)
	if discarded.status != 0 {
		return part, errNotFound // not a live page
	}
	return part, nil
}

// writeFragment renders the live part of a page.
func (v *visit) writeFragment(name string, data view) {
	page := v.sets[v.words.language].pages[name]
	if page.Lookup("live") == nil {
		v.w.WriteHeader(http.StatusNotFound)
		return
	}
	data.Language = v.words.language
	part := isFragment(v.r.Context())
	part.every = data.Every
	if err := page.ExecuteTemplate(part, "live", data); err != nil {
		note(v.r.Context()).err = fmt.Errorf("render the live part of the page %s: %w", name, err)
		v.w.WriteHeader(http.StatusInternalServerError)
	}
}
