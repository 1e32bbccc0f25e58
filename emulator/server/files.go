package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// download is the result of fetching one attachment URL.
type download struct {
	body        []byte
	contentType string
	err         error
}

// storedFile is a file copy that GET /files/... serves.
type storedFile struct {
	body        []byte
	contentType string
}

// fetchAttachments fetches every distinct attachment URL of a request body, as Dixa
// does before it accepts a message. It runs without the lock. It continues if the
// client disconnects, because the request still commits.
func (s *Server) fetchAttachments(ctx context.Context, body []byte) map[string]download {
	var message struct {
		Attachments []fileInput `json:"attachments"`
	}
	var input struct {
		Attachments []fileInput `json:"attachments"`
		Message     struct {
			Attachments []fileInput `json:"attachments"`
		} `json:"message"`
		Messages []json.RawMessage `json:"messages"`
	}
	if json.Unmarshal(body, &input) != nil {
		return nil // the operation refuses the body
	}
	files := append(input.Attachments, input.Message.Attachments...)
	for _, raw := range input.Messages {
		if json.Unmarshal(raw, &message) == nil {
			files = append(files, message.Attachments...)
		}
	}
	ctx = context.WithoutCancel(ctx)
	switches := s.Switches()
	if switches.MaxAttachments > 0 && len(files) > switches.MaxAttachments {
		return nil // the operation refuses the message
	}
	addresses := map[string]bool{}
	for _, file := range files {
		addresses[file.URL] = true
	}
	downloads := map[string]download{}
	var mu sync.Mutex
	var fetching sync.WaitGroup
	places := make(chan struct{}, 8)
	for address := range addresses {
		fetching.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			got := s.fetch(ctx, address, switches)
			mu.Lock()
			defer mu.Unlock()
			downloads[address] = got
		})
	}
	fetching.Wait()
	return downloads
}

func (s *Server) fetch(ctx context.Context, address string, switches Switches) download {
	fail := func(err error) download { return download{err: fmt.Errorf("fetch attachment: %w", err)} }
	target, err := url.Parse(address)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return fail(errors.New("not an absolute http or https URL"))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(switches.AttachmentTimeout))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fail(err)
	}
	client := *s.client
	if switches.AttachmentRedirects == "refused" {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("redirect refused") }
	}
	response, err := client.Do(request)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = response.Body.Close() }() // the body is read as far as needed
	if response.StatusCode != http.StatusOK {
		return fail(fmt.Errorf("status %d", response.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, switches.MaxAttachmentBytes+1))
	if err != nil {
		return fail(err)
	}
	if int64(len(body)) > switches.MaxAttachmentBytes {
		return fail(errors.New("file too large"))
	}
	contentType := cmp.Or(response.Header.Get("Content-Type"), http.DetectContentType(body))
	if !takenType(switches.AttachmentTypes, contentType) {
		return fail(errors.New("content type not accepted"))
	}
	return download{body: body, contentType: contentType}
}

// takenType reports whether the switch attachmentTypes accepts a content type.
func takenType(types, contentType string) bool {
	switch types {
	case "images":
		return strings.HasPrefix(contentType, "image/")
	case "images-pdf":
		return strings.HasPrefix(contentType, "image/") || strings.HasPrefix(contentType, "application/pdf")
	default:
		return true
	}
}

// storeAttachments stores copies of the fetched files. If one could not be fetched,
// it refuses the whole message without saying which.
func (s *Server) storeAttachments(c *call, inputs []fileInput) ([]File, error) {
	if most := c.switches.MaxAttachments; most > 0 && len(inputs) > most {
		return nil, bad("Invalid input for Message")
	}
	for _, input := range inputs {
		if got, fetched := c.files[input.URL]; !fetched || got.err != nil {
			return nil, bad("Failure to download attachment")
		}
	}
	stored := []File{}
	for _, input := range inputs {
		got := c.files[input.URL]
		path := s.privatePath("attachment") + s.newID()
		s.files[path] = storedFile{got.body, got.contentType}
		stored = append(stored, File{
			Path: path, PrettyName: input.PrettyName, ContentType: got.contentType,
			Bytes: int64(len(got.body)), Source: input.URL,
		})
	}
	return stored, nil
}

func (s *Server) privatePath(kind string) string {
	return "/private/" + s.state.Organization.ID + "/" + kind + "/"
}

func (s *Server) contentPath(kind string, message *Message) string {
	return s.privatePath(kind) + message.ID
}

// fileLink returns the link to a file in an API response.
func (s *Server) fileLink(origin, path string) string {
	if s.switches.FileLinks == "path" {
		return path
	}
	return origin + "/files" + path
}

// eventFileLink returns the link to a file in an event. An absolute link uses the
// origin of the latest API request.
func (s *Server) eventFileLink(path string) string {
	if s.switches.FileLinks == "absolute" && s.origin != "" {
		return s.origin + "/files" + path
	}
	return path
}

// serveFile handles GET /files/..., the emulator's files.dixa.io. Private files need
// Basic credentials with the user "bearer" and a token as the password.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/files")
	s.mu.Lock()
	user, token, ok := r.BasicAuth()
	allowed := ok && user == "bearer" && s.tokens[token]
	file, found := s.findFile(path)
	s.mu.Unlock()
	switch {
	case strings.HasPrefix(path, "/private/") && !allowed:
		write(w, refuse(http.StatusUnauthorized, messageUnauthorized))
	case !found:
		write(w, refuse(http.StatusNotFound, messageNotFound))
	default:
		file.send(w)
	}
}

// showFile handles GET /_emulator/files/... for the emulator's web page, which has
// no credentials.
func (s *Server) showFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	file, found := s.findFile(strings.TrimPrefix(r.URL.Path, "/_emulator/files"))
	s.mu.Unlock()
	if !found {
		write(w, refuse(http.StatusNotFound, messageNotFound))
		return
	}
	file.send(w)
}

// send sandboxes a stored file, so that it never runs as a page of the emulator.
func (f storedFile) send(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", "sandbox")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Type", f.contentType)
	_, _ = w.Write(f.body) // the client may have disconnected
}

func (s *Server) findFile(path string) (storedFile, bool) {
	if file, found := s.files[path]; found {
		return file, true
	}
	for _, kind := range []string{"email_original_data", "email_stripped_content"} {
		id, isContent := strings.CutPrefix(path, s.privatePath(kind))
		if !isContent {
			continue
		}
		for _, conversation := range s.state.Conversations {
			for _, message := range conversation.Messages {
				if message.ID != id || message.Content == nil {
					continue
				}
				contentType := "text/plain; charset=utf-8"
				if message.Content.Type == "Html" {
					contentType = "text/html; charset=utf-8"
				}
				return storedFile{[]byte(message.Content.Value), contentType}, true
			}
		}
	}
	return storedFile{}, false
}
