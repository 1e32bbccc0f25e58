package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/identity"
)

// owner is the system that the demo's claims come from: an endpoint that verifies
// the events it receives.
type owner struct {
	url string

	mu       sync.Mutex
	verifier *standardwebhooks.Webhook
	events   map[string][]ownerEvent // by claim
	wrong    error
}

// ownerEvent is an event that the owner received with a valid signature.
type ownerEvent struct {
	id        string
	Sequence  int64       `json:"sequence"`
	Type      string      `json:"type"`
	State     claim.State `json:"state"`
	Status    string      `json:"status,omitempty"`
	Signature string      `json:"signature"`
}

// serveOwner starts the owner's endpoint.
func (s *stack) serveOwner(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the demo endpoint: %w", err)
	}
	s.platformURL = "http://" + listener.Addr().String()
	s.owner = &owner{url: s.platformURL + "/claimflow", events: map[string][]ownerEvent{}}
	staff, err := identity.New(s.issuer(), nil)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /portal", s.openPortal)
	mux.Handle("/identity/", http.StripPrefix("/identity", staff))
	mux.Handle("/", s.owner)
	httpServer := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()
	s.halts = append(s.halts, func() error {
		err := httpServer.Close()
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	})
	return nil
}

// openPortal does what a platform does when a member of a shop's staff clicks on its
// settings: it creates a link to the portal and redirects there.
func (s *stack) openPortal(w http.ResponseWriter, r *http.Request) {
	link, err := s.api.CreatePortalLink(r.Context(), demoShop, client.NewPortalLink{Subject: "demo-staff", ReturnURL: s.portalURL()})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, link.URL, http.StatusSeeOther)
}

// portalURL is the address of [stack.openPortal].
func (s *stack) portalURL() string { return s.platformURL + "/portal" }

// issuer is the address of the demo's OpenID Connect provider, which signs everyone in.
func (s *stack) issuer() string { return s.platformURL + "/identity" }

// register adds the endpoint to Claimflow and removes that of an earlier run.
func (s *stack) register(ctx context.Context) error {
	earlier, err := s.api.Endpoints(ctx, demoShop)
	if err != nil {
		return err
	}
	for _, e := range earlier {
		if err := s.api.RemoveEndpoint(ctx, demoShop, e.ID); err != nil {
			return err
		}
	}
	made, err := s.api.AddEndpoint(ctx, demoShop, client.NewEndpoint{URL: s.owner.url, Description: "demo endpoint"})
	if err != nil {
		return err
	}
	if err := s.owner.trust(made.Secret); err != nil {
		return err
	}
	// Replays what an earlier run's endpoint received.
	_, err = s.api.Replay(ctx, demoShop, made.ID, client.ReplayRequest{Since: time.Unix(0, 0), Until: time.Now()})
	return err
}

// trust sets the secret that events are signed with.
func (o *owner) trust(secret string) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.verifier, err = standardwebhooks.NewWebhook(secret)
	return err
}

// ServeHTTP receives an event.
func (o *owner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.verifier == nil {
		http.Error(w, "the signing secret is not available yet", http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		err = o.verifier.Verify(body, r.Header)
	}
	var notice claim.Notice
	if err == nil {
		err = json.Unmarshal(body, &notice)
	}
	if err != nil {
		o.wrong = errors.Join(o.wrong, fmt.Errorf("the demo endpoint received an invalid event: %w", err))
		http.Error(w, "invalid event", http.StatusBadRequest)
		return
	}
	o.record(r.Header.Get("webhook-id"), notice)
}

// record stores an event. It recognizes a duplicate by its id; a different event with
// the same sequence number is an error.
func (o *owner) record(id string, n claim.Notice) {
	have := o.events[n.Data.ID]
	at, found := slices.BinarySearchFunc(have, n.Data.Sequence, func(e ownerEvent, sequence int64) int { return cmp.Compare(e.Sequence, sequence) })
	if found {
		if have[at].id != id {
			o.wrong = errors.Join(o.wrong, fmt.Errorf("claim %s: two events have the sequence number %d", n.Data.ID, n.Data.Sequence))
		}
		return
	}
	o.events[n.Data.ID] = slices.Insert(have, at, ownerEvent{id: id, Sequence: n.Data.Sequence, Type: n.Type, State: n.Data.State, Status: n.Data.Status, Signature: "ok"})
}

// lacks reports the first event missing before the last one received for a claim, or
// nil if none is.
func (o *owner) lacks(id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, e := range o.events[id] {
		if e.Sequence != int64(i+1) {
			return fmt.Errorf("its owner did not receive event %d", i+1)
		}
	}
	return nil
}

// last returns the last event of a claim, or the zero value if there is none.
func (o *owner) last(id string) ownerEvent {
	o.mu.Lock()
	defer o.mu.Unlock()
	if have := o.events[id]; len(have) > 0 {
		return have[len(have)-1]
	}
	return ownerEvent{}
}

// received returns the events of a claim, ordered by sequence number.
func (o *owner) received(id string) []ownerEvent {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]ownerEvent{}, o.events[id]...)
}

// err returns the errors in received events, or nil if there are none.
func (o *owner) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.wrong
}
