package portal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// inProcessURL is the base address of requests that do not leave the process.
const inProcessURL = "http://claimflow.invalid"

// apiOf returns a client of the API that acts for a session.
func (p *Portal) apiOf(s claim.PortalSession) (*client.Client, error) {
	return p.apiFor(claim.Key{ID: "portal:" + s.ID, Name: actorOf(s), Shop: s.Shop, Scopes: p.Scopes(s.Capabilities)})
}

// apiFor returns a client of the API that acts for a key.
func (p *Portal) apiFor(key claim.Key) (*client.Client, error) {
	acting := func(ctx context.Context) context.Context { return p.Acting(ctx, key) }
	return client.New(inProcessURL, "", client.WithRetries(0, 0), client.WithHTTPClient(&http.Client{Transport: &inProcess{p.API, acting}}))
}

// actorPrefix begins the names of actors that are persons in the portal.
const actorPrefix = "portal "

// actorOf is the actor in the audit log.
func actorOf(s claim.PortalSession) string { return actorPrefix + s.Subject }

// personOf returns an actor for people: the person of the session is addressed.
func (v *visit) personOf(actor string) string {
	if actor == actorOf(v.session) {
		return v.words.say("person.you")
	}
	return strings.TrimPrefix(actor, actorPrefix)
}

// inProcess is a transport to a handler in the same process. Bodies are streamed.
type inProcess struct {
	handler http.Handler
	acting  func(context.Context) context.Context
}

var errHandlerEnded = errors.New("the handler ended without an answer")

// RoundTrip implements [http.RoundTripper].
func (t *inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(t.acting(r.Context()))
	served := r.Clone(ctx)
	if served.Body == nil {
		served.Body = http.NoBody
	}
	served.RequestURI = served.URL.RequestURI()
	read, write := io.Pipe()
	w := &pipedResponse{header: http.Header{}, body: write, begun: make(chan struct{})}
	go func() {
		defer func() {
			if cause := recover(); cause != nil {
				w.end(fmt.Errorf("%w: %v", errHandlerEnded, cause))
				return
			}
			w.end(nil)
		}()
		t.handler.ServeHTTP(w, served)
	}()
	select {
	case <-w.begun:
	case <-ctx.Done():
		cancel()
		_ = read.CloseWithError(ctx.Err()) // always nil; the handler's answer must not wait for a reader
		return nil, ctx.Err()
	}
	if w.status == 0 {
		cancel()
		return nil, errHandlerEnded
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: &canceledBody{read, cancel}, ContentLength: -1, Request: r,
	}, nil
}

// canceledBody is a response body whose end cancels the request.
type canceledBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *canceledBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// pipedResponse is a [http.ResponseWriter] whose body is read while it is written. Without
// a body, nobody reads.
type pipedResponse struct {
	header, sent http.Header
	status       int
	// body is nil if nobody reads it.
	body  *io.PipeWriter
	begun chan struct{}
}

// Header implements [http.ResponseWriter].
func (w *pipedResponse) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *pipedResponse) WriteHeader(status int) {
	if w.status != 0 || status < http.StatusOK {
		return
	}
	w.status, w.sent = status, w.header.Clone()
	close(w.begun)
}

// Write implements [http.ResponseWriter].
func (w *pipedResponse) Write(data []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body == nil {
		return len(data), nil
	}
	return w.body.Write(data)
}

// Flush implements [http.Flusher].
func (w *pipedResponse) Flush() { w.WriteHeader(http.StatusOK) }

func (w *pipedResponse) end(err error) {
	if err == nil {
		w.WriteHeader(http.StatusOK)
	} else if w.status == 0 {
		close(w.begun)
	}
	_ = w.body.CloseWithError(err) // always nil
}
