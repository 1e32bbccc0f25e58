package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// snapshot is the format of Save: the state and the data that State does not show.
type snapshot struct {
	Version      int                     `json:"version"`
	State        State                   `json:"state"`
	Files        map[string]snapshotFile `json:"files"`
	ExternalIDs  []string                `json:"externalIds"`
	IDs          uint64                  `json:"ids"`
	Conversation int64                   `json:"conversation"`
}

type snapshotFile struct {
	Body        []byte `json:"body"`
	ContentType string `json:"contentType"`
}

const snapshotVersion = 1

// Save writes everything that exists as JSON, for Load. Tokens, switches, faults,
// counters and webhook deliveries in progress are not included.
func (s *Server) Save(w io.Writer) error {
	encoded, err := s.encoded()
	if err == nil {
		_, err = w.Write(append(encoded, '\n'))
	}
	if err != nil {
		return fmt.Errorf("save emulator state: %w", err)
	}
	return nil
}

func (s *Server) encoded() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	saved := snapshot{
		Version: snapshotVersion, State: s.state, Files: make(map[string]snapshotFile, len(s.files)),
		ExternalIDs: slices.Sorted(maps.Keys(s.externalIDs)), IDs: s.ids, Conversation: s.conversation,
	}
	for path, file := range s.files {
		saved.Files[path] = snapshotFile{file.body, file.contentType}
	}
	return json.Marshal(saved)
}

// Load replaces everything that exists with the output of Save. Pending bulk tags,
// follow-ups and anonymizations continue. On error, the state stays unchanged.
func (s *Server) Load(r io.Reader) error {
	var saved snapshot
	if err := json.NewDecoder(r).Decode(&saved); err != nil {
		return fmt.Errorf("load emulator state: %w", err)
	}
	if saved.Version != snapshotVersion {
		return errors.New("load emulator state: the file was written by an incompatible version; remove it to start with the seed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.jobs = saved.State, nil
	s.reindex()
	s.ids, s.conversation = saved.IDs, saved.Conversation
	s.files, s.externalIDs = map[string]storedFile{}, map[string]bool{}
	for path, file := range saved.Files {
		s.files[path] = storedFile{file.Body, file.ContentType}
	}
	for _, key := range saved.ExternalIDs {
		s.externalIDs[key] = true
	}
	for _, conversation := range s.state.Conversations {
		for id, value := range conversation.Attributes {
			conversation.Attributes[id] = optionValues(value)
		}
		for _, pending := range conversation.PendingTags {
			s.armTags(conversation, pending)
		}
		if conversation.State == StatePending {
			s.armFollowup(conversation)
		}
	}
	for _, request := range s.state.Anonymizations {
		if request.ProcessedAt.IsZero() {
			s.armAnonymization(request)
		}
	}
	return nil
}

// optionValues restores the type of a Select value, which JSON decodes as []any.
func optionValues(value any) any {
	list, isList := value.([]any)
	if !isList {
		return value
	}
	path := []string{}
	for _, part := range list {
		path = append(path, fmt.Sprint(part))
	}
	return path
}

// LoadFile is Load from a file. If the file does not exist, the seed stays in place.
func (s *Server) LoadFile(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load emulator state: %w", err)
	}
	defer func() { _ = file.Close() }() // nothing was written
	if err := s.Load(file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// SaveFile is Save to a file, which it replaces atomically.
func (s *Server) SaveFile(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("save emulator state: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // already renamed on success
	err = errors.Join(s.Save(file), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("save emulator state to %s: %w", path, err)
	}
	return nil
}

// KeepFile saves to a file after every interval in which something may have changed,
// and once more when ctx ends. If there is much to save, it saves less often, so that
// most of the time is left for requests. It returns the first error of a save.
func (s *Server) KeepFile(ctx context.Context, path string, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var saved uint64
	var rested time.Time
	for {
		select {
		case <-ctx.Done():
			return s.SaveFile(path)
		case <-ticker.C:
		}
		revision := s.revision()
		if revision == saved || time.Now().Before(rested) {
			continue
		}
		begun := time.Now()
		if err := s.SaveFile(path); err != nil {
			return err
		}
		saved, rested = revision, time.Now().Add(9*time.Since(begun))
	}
}

// revision grows with every change: every change comes from a request or creates an
// id.
func (s *Server) revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids + uint64(s.counters.Requests)
}
