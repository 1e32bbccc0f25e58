package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/sirupsen/logrus"
	logrusslog "github.com/sirupsen/logrus/hooks/slog"
)

// LogOptions configure how a process logs.
type LogOptions struct {
	// Format is "text" for people or "json" for machines. Empty means text on a
	// terminal and JSON elsewhere.
	Format string
	// Level is the minimum level to log: "debug", "info", "warn" or "error".
	// Defaults to "info".
	Level string
	// Output defaults to standard error.
	Output io.Writer
}

// NewLogger returns a logger that writes through logrus.
func NewLogger(o LogOptions) (*slog.Logger, error) {
	if o.Output == nil {
		o.Output = os.Stderr
	}
	if o.Level == "" {
		o.Level = "info"
	}
	level, err := logrus.ParseLevel(o.Level)
	if err != nil {
		return nil, fmt.Errorf("set up logging: invalid level %q: must be debug, info, warn or error", o.Level)
	}
	l := logrus.New()
	l.SetOutput(o.Output)
	l.SetLevel(level)
	switch {
	case o.Format == "json", o.Format == "" && !isTerminal(o.Output):
		l.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	case o.Format == "text", o.Format == "":
		l.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, TimestampFormat: time.TimeOnly})
	default:
		return nil, fmt.Errorf("set up logging: invalid format %q: must be text or json", o.Format)
	}
	return slog.New(logrusslog.NewHandler(l, nil)), nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
