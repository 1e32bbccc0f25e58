package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/charset"
)

// print prints the result of a call as JSON, or calls table to print it for people. If
// the call failed, it only returns err.
func (a *app) print(v any, err error, table func(w *tabwriter.Writer)) error {
	if err != nil {
		return err
	}
	if a.output == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	table(w)
	return w.Flush()
}

// say prints text for people. It ignores errors, because nobody reads a closed
// terminal or pipe.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// line writes one row of a table.
func line(w *tabwriter.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = cell(c)
	}
	say(w, "%s\n", strings.Join(texts, "\t"))
}

// cell formats a value; a missing value is a dash. It removes control characters, so
// that untrusted text cannot control the terminal.
func cell(v any) string {
	text := ""
	switch v := v.(type) {
	case time.Time:
		if !v.IsZero() {
			text = v.Local().Format("2006-01-02 15:04:05")
		}
	case bool:
		text = map[bool]string{true: "yes", false: "no"}[v]
	case int64:
		if v != 0 {
			text = fmt.Sprint(v)
		}
	default:
		text = fmt.Sprint(v)
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
	if text == "" {
		return "-"
	}
	return text
}

// read reads the text of a file as UTF-8, or the standard input if path is "-".
func (a *app) read(path string) ([]byte, error) {
	data, err := a.readBytes(path)
	if err != nil {
		return nil, err
	}
	return textOf(path, data)
}

// textOf returns the text of a file as UTF-8.
func textOf(path string, data []byte) ([]byte, error) {
	text, err := charset.UTF8(data, "")
	if invalid := (*charset.InvalidError)(nil); errors.As(err, &invalid) && invalid.Offset >= 0 {
		return nil, fmt.Errorf("%s is not UTF-8: byte %#02x at offset %d; save it as UTF-8", path, invalid.Byte, invalid.Offset)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %w; save it as UTF-8", path, err)
	}
	return text, nil
}

func (a *app) readBytes(path string) ([]byte, error) {
	if path == "-" {
		data, err := io.ReadAll(a.in)
		if err != nil {
			return nil, fmt.Errorf("read the standard input: %w", err)
		}
		return data, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w; specify a file, or - for the standard input", err)
	}
	return data, nil
}

// instant parses a point in time: RFC 3339, a day, or how long ago ("24h", "3d").
func instant(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	var d claim.Duration
	if d.UnmarshalText([]byte(text)) == nil && d > 0 {
		return now.Add(-time.Duration(d)), nil
	}
	return time.Time{}, usage("--%s %s: must be a time such as 2026-01-31 or 2026-01-31T12:00:00Z, or an age such as 24h or 3d", name, text)
}
