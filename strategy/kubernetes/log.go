package kubernetes

import (
	"github.com/hashicorp/go-hclog"
	"k8s.io/klog/v2"
)

// logSink gives to hclog what client-go logs. Most of that is reported through the sink of the strategy too,
// so it is debugging here.
type logSink struct{ log hclog.Logger }

// Init does nothing.
func (s logSink) Init(klog.RuntimeInfo) {}

// Enabled reports whether a level is logged; levels grow with the detail.
func (s logSink) Enabled(level int) bool {
	if level == 0 {
		return s.log.IsDebug()
	}
	return s.log.IsTrace()
}

// Info logs a message.
func (s logSink) Info(level int, text string, pairs ...any) {
	if level == 0 {
		s.log.Debug("message of client-go", append([]any{"text", text}, pairs...)...)
		return
	}
	s.log.Trace("message of client-go", append([]any{"text", text}, pairs...)...)
}

// Error logs an error.
func (s logSink) Error(err error, text string, pairs ...any) {
	s.log.Warn("error of client-go", append([]any{"text", text, "error", err}, pairs...)...)
}

// WithValues returns a sink that adds pairs.
func (s logSink) WithValues(pairs ...any) klog.LogSink { return logSink{s.log.With(pairs...)} }

// WithName returns the sink: the topology names it well enough.
func (s logSink) WithName(string) klog.LogSink { return s }
