package server

import (
	"slices"
	"time"
)

// job is work that Dixa does after its response: bulk tags, anonymization, the
// expiry of a follow-up. Jobs run under s.mu, in the order of their due times. Each
// receives its due time, so its effects carry that time however late it runs.
type job struct {
	due time.Time
	run func(at time.Time)
}

// at schedules work for a time on the server's clock, or for now if that time has
// passed. The caller holds s.mu.
func (s *Server) at(due time.Time, run func(at time.Time)) {
	if now := s.clock(); due.Before(now) {
		due = now
	}
	place, _ := slices.BinarySearchFunc(s.jobs, due, func(j job, due time.Time) int {
		if j.due.After(due) {
			return 1
		}
		return -1 // equal due times keep their scheduling order
	})
	s.jobs = slices.Insert(s.jobs, place, job{due, run})
	s.wake()
}

// wake sets the timer for the earliest job. With an injected clock that does not
// advance by itself, the timer may fire early. The job then runs at the first
// request or Settle after the clock passes its due time.
func (s *Server) wake() {
	if s.closed || len(s.jobs) == 0 {
		return
	}
	wait := max(0, s.jobs[0].due.Sub(s.clock()))
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.ring)
		return
	}
	s.timer.Reset(wait)
}

func (s *Server) ring() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.settle() > 0 {
		s.wake()
	}
}

// settle runs every due job and returns how many ran. The caller holds s.mu.
func (s *Server) settle() int {
	ran := 0
	for now := s.clock(); len(s.jobs) > 0 && !s.jobs[0].due.After(now); ran++ {
		next := s.jobs[0]
		s.jobs = s.jobs[1:]
		next.run(next.due)
	}
	return ran
}

// Settle runs the asynchronous work that is due on the server's clock: bulk tags,
// anonymizations and expired follow-ups.
func (s *Server) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
}
