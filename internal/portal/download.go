package portal

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// downloadFor bounds how long a download takes.
const downloadFor = 10 * time.Minute

// download passes a file of the API on, always as one that the browser saves and never
// shows. An error after the first byte aborts the connection, so that a partial file
// never passes for a complete one.
func (v *visit) download(file *http.Response) error {
	defer func() { _ = file.Body.Close() }() // read to the end or abandoned
	h := v.w.Header()
	for _, name := range []string{"Content-Type", "Content-Length"} {
		if value := file.Header.Get(name); value != "" {
			h.Set(name, value)
		}
	}
	disposition := file.Header.Get("Content-Disposition")
	if !strings.HasPrefix(disposition, "attachment") {
		disposition = "attachment"
	}
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if err := http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(downloadFor)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("send a file: %w", err)
	}
	if _, err := io.Copy(v.w, file.Body); err != nil {
		note(v.r.Context()).err = fmt.Errorf("send a file: %w", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}
