package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// adminRoutes registers the emulator's own controls. They need no token, do not
// count against the request limit and are meant for the loopback interface only.
func (s *Server) adminRoutes(mux *http.ServeMux) {
	for pattern, handle := range map[string]func(*http.Request, []byte) (any, error){
		"GET /_emulator/stats":      func(*http.Request, []byte) (any, error) { return s.Stats(), nil },
		"GET /_emulator/state":      func(*http.Request, []byte) (any, error) { return s.State(), nil },
		"GET /_emulator/operations": func(*http.Request, []byte) (any, error) { return Operations(), nil },
		"GET /_emulator/switches":   func(*http.Request, []byte) (any, error) { return s.Switches(), nil },
		"PATCH /_emulator/switches": s.adminSwitches,
		"GET /_emulator/faults":     func(*http.Request, []byte) (any, error) { return s.Faults(), nil },
		"POST /_emulator/faults":    s.adminFault,
		"DELETE /_emulator/faults":  func(*http.Request, []byte) (any, error) { s.ClearFaults(); return nil, nil },
		"POST /_emulator/play":      s.adminPlay,
		"POST /_emulator/reset":     func(*http.Request, []byte) (any, error) { s.Reset(); return nil, nil },
		"POST /_emulator/schedules": s.adminSchedule,
		"POST /_emulator/templates": s.adminTemplate,
		"POST /_emulator/knowledge": s.adminKnowledge,
		"POST /_emulator/tokens":    s.adminToken(s.AddToken),
		"DELETE /_emulator/tokens":  s.adminToken(s.Revoke),
	} {
		mux.HandleFunc(pattern, admin(handle))
	}
	mux.HandleFunc("GET /_emulator/{$}", s.page)
	mux.HandleFunc("GET /_emulator/page.css", pageFile("page.css"))
	mux.HandleFunc("GET /_emulator/page.js", pageFile("page.js"))
	mux.Handle("POST /_emulator/act", fromHere.Handler(http.HandlerFunc(s.act)))
	mux.HandleFunc("GET /_emulator/files/", s.showFile)
}

// fromHere prevents other sites' pages from controlling a developer's emulator.
var fromHere = http.NewCrossOriginProtection()

// admin responds with the value as JSON, 204 if there is none, or 400 with the error
// message.
func admin(handle func(*http.Request, []byte) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := fromHere.Check(r); err != nil {
			write(w, refuse(http.StatusForbidden, "the admin API does not accept cross-origin requests"))
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var value any
		if err == nil {
			value, err = handle(r, body)
		}
		switch {
		case err != nil:
			write(w, refuse(http.StatusBadRequest, err.Error()))
		case value == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			write(w, reply{status: http.StatusOK, body: value})
		}
	}
}

func (s *Server) adminSwitches(_ *http.Request, body []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, err := s.switches.patched(body)
	if err != nil {
		return nil, err
	}
	s.switches = changed.WithDefaults()
	return s.switches, nil
}

// Faults lists the armed faults with their remaining Skip and Times.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults := []Fault{}
	for _, armed := range s.faults {
		fault := armed.Fault
		fault.Skip, fault.Times = armed.skip, armed.left
		faults = append(faults, fault)
	}
	return faults
}

func (s *Server) adminFault(_ *http.Request, body []byte) (any, error) {
	var fault Fault
	if err := strict(body, &fault); err != nil {
		return nil, fmt.Errorf("parse fault: %w", err)
	}
	if err := fault.Validate(); err != nil {
		return nil, err
	}
	s.Inject(fault)
	return nil, nil
}

func (s *Server) adminPlay(r *http.Request, body []byte) (any, error) {
	var input struct {
		Steps []struct {
			// Actor is agent (the default) or customer.
			Actor string `json:"actor"`
			Step
		} `json:"steps"`
	}
	if err := strict(body, &input); err != nil {
		return nil, fmt.Errorf("parse steps: %w", err)
	}
	if len(input.Steps) == 0 {
		return nil, errors.New(`play: steps is required; send {"steps":[{"action":"claim"}]}`)
	}
	for _, step := range input.Steps {
		act := s.Agent
		switch step.Actor {
		case "", "agent":
		case "customer":
			act = s.Customer
		default:
			return nil, fmt.Errorf("play: unknown actor %q: must be agent or customer", step.Actor)
		}
		if err := act(r.Context(), step.Step); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (s *Server) adminToken(apply func(string)) func(*http.Request, []byte) (any, error) {
	return func(_ *http.Request, body []byte) (any, error) {
		var input struct {
			Token string `json:"token"`
		}
		if err := strict(body, &input); err != nil {
			return nil, fmt.Errorf("parse token: %w", err)
		}
		if input.Token == "" {
			return nil, errors.New(`token is required; send {"token":"..."}`)
		}
		apply(input.Token)
		return nil, nil
	}
}

func strict(body []byte, into any) error {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
