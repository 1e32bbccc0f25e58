package activities_test

import (
	"sync"
	"time"
)

// movable is a clock that can be set forth and back.
type movable struct {
	mu     sync.Mutex
	offset time.Duration
}

func (m *movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.offset)
}

func (m *movable) Move(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offset += d
}
