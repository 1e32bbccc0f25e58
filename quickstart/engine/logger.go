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

// fatal is what the server's Fatal becomes. The server's own logger would end
// the process; an embedded server leaves that to the one who started it.
type fatal struct{ message string }

func (f fatal) Error() string { return f.message }

// noHTTP begins a warning about the HTTP API, which is off on purpose: it would
// open one more port for something that neither the UI nor the SDK uses.
const noHTTP = "HTTP API port has not been set"

// serverLogger lets the Temporal server write its warnings and errors to a
// slog.Logger. What is below a warning is dropped: the server narrates its
// start and stop in hundreds of lines.
type serverLogger struct {
	logger *slog.Logger
	// stopping is set when the server is told to stop. From then on its
	// services only complain that the others are going away.
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

// DPanic marks what the server's authors take for a defect. In production it
// is an error in the log, and so it is here.
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
