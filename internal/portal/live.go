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
	"sync"
	"time"

	"github.com/claimflow/claimflow/store"
)

const (
	// heartbeat keeps proxies from ending a quiet stream.
	heartbeat = 15 * time.Second
	// liveFor is how long a stream lasts. The browser then opens another.
	liveFor = 90 * time.Second
	// maxStreams is how many streams a session may have open: more pages than a person has.
	maxStreams = 20

	livePattern = "GET /portal/live"
	// endedEvent makes the browser load the page again, which then says why.
	endedEvent = "ended"
)

// streams counts the open streams of each session.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

// begin counts a stream, unless the session has too many.
func (s *streams) begin(session string) (admitted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[session] >= maxStreams {
		return false
	}
	s.open[session]++
	return true
}

func (s *streams) end(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[session]--; s.open[session] == 0 {
		delete(s.open, session)
	}
}

// lineBreaks begins each line of the data of an event. A carriage return ends a line too,
// so a text that contains one could otherwise end the event and begin another.
var lineBreaks = strings.NewReplacer("\r\n", "\ndata: ", "\r", "\ndata: ", "\n", "\ndata: ")

// errBroken says that the live part of a page cannot be shown now.
var errBroken = errors.New("the page failed")

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

// news streams the live part of a page as server-sent events, whenever it changes. The
// event's id is a digest of it.
func (v *visit) news() error {
	target, err := url.Parse(ownPath(v.r.URL.Query().Get("page")))
	if err != nil {
		return errNotFound
	}
	if page, isCommand := v.pageOfCommand(target.Path); isCommand {
		target.Path = page // a refused form has shown it at the command's address
	}
	admit := func() error {
		if shop := v.r.URL.Query().Get("shop"); shop != "" && shop != v.session.Shop {
			return store.ErrPortalSession // the page was made for another shop
		}
		_, err := v.sessionOf(v.r)
		return err
	}
	err = v.stream(v.session.ID, admit, func() (*fragment, error) { return v.livePart(target) })
	if errors.Is(err, errNotFound) {
		sendOnly(v.w, "gone") // else the browser would come back
		return nil
	}
	return err
}

// stream sends what render renders whenever it changes, until admit refuses. The number of
// streams of an id is bounded. The error is [errNotFound] if there is nothing to stream.
func (v *visit) stream(id string, admit func() error, render func() (*fragment, error)) error {
	if !v.streams.begin(id) {
		v.w.WriteHeader(http.StatusTooManyRequests) // the page stays as it is
		return nil
	}
	defer v.streams.end(id)
	stream := http.NewResponseController(v.w)
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.Header().Set("X-Accel-Buffering", "no")
	last, quiet := v.r.Header.Get("Last-Event-ID"), time.Duration(0)
	part, due, begun := &fragment{}, time.Duration(0), false
	tick := time.NewTicker(v.LiveEvery)
	defer tick.Stop()
	end := time.After(liveFor)
	for {
		err := admit()
		if err == nil && due <= 0 {
			part, err = render()
			due = part.every
		}
		if errors.Is(err, store.ErrPortalSession) || errors.Is(err, store.ErrWall) {
			sendOnly(v.w, endedEvent)
			return nil
		}
		if errors.Is(err, errNotFound) && !begun {
			return err
		}
		if err != nil {
			return nil // noted by the page; the browser connects again
		}
		begun = true
		sum := sha256.Sum256(part.Bytes())
		digest := hex.EncodeToString(sum[:8])
		var message string
		switch {
		case digest != last:
			message = "id: " + digest + "\nevent: news\ndata: " + lineBreaks.Replace(part.String()) + "\n\n"
		case quiet >= heartbeat:
			message = ": still here\n\n"
		}
		if message != "" {
			last, quiet = digest, 0
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
		case <-v.ending:
			return nil
		case <-end:
			return nil
		case <-tick.C:
			quiet += v.LiveEvery
			due -= v.LiveEvery
		}
	}
}

// sendOnly sends a stream of one event without data.
func sendOnly(w http.ResponseWriter, event string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprint(w, "event: "+event+"\ndata:\n\n") // the browser may have gone
}

// EndStreams ends all open streams of news, so that a server that shuts down does not wait
// for them. Browsers open others.
func (p *Portal) EndStreams() { p.endOnce.Do(func() { close(p.ending) }) }

// livePart renders the live part of a page for the session of the stream.
func (v *visit) livePart(target *url.URL) (*fragment, error) {
	part := &fragment{}
	ctx := context.WithValue(v.r.Context(), fragmentKey{}, part)
	r := v.r.Clone(ctx)
	r.Method, r.URL, r.RequestURI, r.Body = http.MethodGet, target, target.String(), http.NoBody
	if _, pattern := v.mux.Handler(r); !v.live[pattern] {
		return part, errNotFound
	}
	discarded := &pipedResponse{header: http.Header{}, begun: make(chan struct{})}
	v.mux.ServeHTTP(discarded, r)
	switch {
	case discarded.status == http.StatusUnauthorized:
		return part, store.ErrPortalSession // it ended after the stream admitted it
	case discarded.status >= http.StatusInternalServerError:
		return part, errBroken
	case discarded.status != 0:
		return part, errNotFound // the person cannot see the page, or there is nothing to see
	default:
		return part, nil
	}
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
	var text bytes.Buffer
	if err := page.ExecuteTemplate(&text, "live", data); err != nil {
		note(v.r.Context()).err = fmt.Errorf("render the live part of the page %s: %w", name, err)
		v.w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = part.Write(forShop(text.Bytes(), v.session.Shop)) // always nil
}
