package engine

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// fatal is the panic value of the server's Fatal. The server's own logger would exit
// the process; an embedded server leaves that decision to its caller.
type fatal struct{ message string }

func (f fatal) Error() string { return f.message }

// noHTTP is the prefix of a warning about the HTTP API, which is off on purpose: it
// would open another port, and neither the UI nor the SDK uses it.
const noHTTP = "HTTP API port has not been set"

// serverLogger writes the Temporal server's warnings and errors to a slog.Logger. It
// drops lower levels, because the server logs hundreds of lines on start and stop.
type serverLogger struct {
	logger *slog.Logger
	// stopping is set when the server is asked to stop. From then on its services
	// only report that the others are shutting down.
	stopping *atomic.Bool
}

var (
	_ log.Logger     = serverLogger{}
	_ log.WithLogger = serverLogger{}
)

func (l serverLogger) Debug(string, ...tag.Tag) {}
func (l serverLogger) Info(string, ...tag.Tag)  {}

func (l serverLogger) Warn(msg string, tags ...tag.Tag) {
	if l.stopping.Load() || strings.HasPrefix(msg, noHTTP) {
		return
	}
	l.logger.LogAttrs(context.Background(), slog.LevelWarn, msg, attrs(tags)...)
}

func (l serverLogger) Error(msg string, tags ...tag.Tag) {
	if l.stopping.Load() {
		return
	}
	l.logger.LogAttrs(context.Background(), slog.LevelError, msg, attrs(tags)...)
}

// DPanic reports what the server's authors consider a defect. As in production, it
// is only logged as an error.
func (l serverLogger) DPanic(msg string, tags ...tag.Tag) { l.Error(msg, tags...) }

func (l serverLogger) Panic(msg string, tags ...tag.Tag) {
	l.Error(msg, tags...)
	panic(msg)
}

func (l serverLogger) Fatal(msg string, tags ...tag.Tag) {
	for _, t := range tags {
		msg += fmt.Sprintf(", %s: %v", t.Key(), t.Value())
	}
	panic(fatal{msg})
}

func (l serverLogger) With(tags ...tag.Tag) log.Logger {
	args := make([]any, 0, len(tags))
	for _, a := range attrs(tags) {
		args = append(args, a)
	}
	return serverLogger{l.logger.With(args...), l.stopping}
}

func attrs(tags []tag.Tag) []slog.Attr {
	out := make([]slog.Attr, 0, len(tags))
	for _, t := range tags {
		out = append(out, slog.Any(t.Key(), t.Value()))
	}
	return out
}
