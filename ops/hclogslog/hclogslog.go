// Package hclogslog makes a logger of hclog, which all packages of convoke take, that writes to a handler of log/slog: for a program that logs by slog.
//
//	cluster.New(config, cluster.WithLogger(hclogslog.New(slog.Default().Handler())))
package hclogslog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/hashicorp/go-hclog"
)

// LevelTrace is the level of lines that hclog calls TRACE: one step of slog's scale below Debug.
const LevelTrace = slog.LevelDebug - 4

// NameKey is the key of the attribute that has the name of the logger, such as "gossip". It is absent for a logger without a name.
const NameKey = "logger"

// New returns a logger whose lines the handler gets: pairs are attributes, and those of With come before those of the line. The level of the
// logger is the lowest one that the handler is enabled for when New is called; the handler decides about each line besides. A level that is set
// on the logger changes nothing, neither for it nor for those that are made of it.
func New(h slog.Handler) hclog.Logger {
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: lowest(h)})
	log.RegisterSink(&sink{h})
	return log
}

// levels are the levels of hclog in the order of their weight, with those of slog.
var levels = []struct {
	from hclog.Level
	to   slog.Level
}{{hclog.Trace, LevelTrace}, {hclog.Debug, slog.LevelDebug}, {hclog.Info, slog.LevelInfo}, {hclog.Warn, slog.LevelWarn}, {hclog.Error, slog.LevelError}}

// lowest returns the lowest level that a handler is enabled for.
func lowest(h slog.Handler) hclog.Level {
	for _, l := range levels {
		if h.Enabled(context.Background(), l.to) {
			return l.from
		}
	}
	return hclog.Off
}

// levelOf returns the level of slog; a line without a level is one of Info.
func levelOf(level hclog.Level) slog.Level {
	for _, l := range levels {
		if l.from == level {
			return l.to
		}
	}
	return slog.LevelInfo
}

// sink passes lines of hclog to a handler. It is used by its address, since hclog has sinks as keys of a map.
type sink struct{ handler slog.Handler }

// Accept implements [hclog.SinkAdapter].
func (s *sink) Accept(name string, level hclog.Level, msg string, args ...any) {
	to := levelOf(level)
	if !s.handler.Enabled(context.Background(), to) {
		return
	}
	r := slog.NewRecord(time.Now(), to, msg, 0)
	if name != "" {
		r.AddAttrs(slog.String(NameKey, name))
	}
	for i := 0; i+1 < len(args); i += 2 {
		r.AddAttrs(slog.Any(text(args[i]), value(args[i+1])))
	}
	if len(args)%2 == 1 {
		r.AddAttrs(slog.Any(hclog.MissingKey, value(args[len(args)-1])))
	}
	_ = s.handler.Handle(context.Background(), r) // a log that cannot be written has no place to report it
}

// text returns a key as text, whatever its type.
func text(key any) string {
	if s, ok := key.(string); ok {
		return s
	}
	return fmt.Sprint(key)
}

// value returns a value as hclog would write it: those of hclog.Fmt are formatted.
func value(v any) any {
	if f, ok := v.(hclog.Format); ok && len(f) > 0 {
		return fmt.Sprintf(text(f[0]), f[1:]...)
	}
	return v
}
