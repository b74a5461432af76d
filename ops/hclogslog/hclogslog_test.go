package hclogslog_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/ops/hclogslog"
)

// logger returns a logger, and what its handler writes, without times.
func logger(level slog.Level) (hclog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return hclogslog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})), &out
}

func TestNamesPairsAndLevelsArrive(t *testing.T) {
	log, out := logger(hclogslog.LevelTrace)
	log.Info("plain")
	gossip := log.Named("agent").Named("gossip").With("member", "a")
	gossip.Warn("peer lost", "error", errors.New("connection refused"), "attempt", 3)
	gossip.ResetNamed("other").Error("failed", 7, "a key that is a number")
	log.Trace("frame", "size", hclog.Fmt("%d bytes", 12))
	log.Debug("odd", "k", "v", "alone")
	want := `level=INFO msg=plain
level=WARN msg="peer lost" logger=agent.gossip member=a error="connection refused" attempt=3
level=ERROR msg=failed logger=other member=a 7="a key that is a number"
level=DEBUG-4 msg=frame size="12 bytes"
level=DEBUG msg=odd k=v EXTRA_VALUE_AT_END=alone
`
	if got := out.String(); got != want {
		t.Errorf("written:\n%swant:\n%s", got, want)
	}
}

func TestTheLevelIsThatOfTheHandler(t *testing.T) {
	for _, c := range []struct {
		handler             slog.Level
		trace, debug, warns bool
	}{
		{hclogslog.LevelTrace, true, true, true},
		{slog.LevelDebug, false, true, true},
		{slog.LevelWarn, false, false, true},
		{slog.LevelError + 1, false, false, false},
	} {
		log, out := logger(c.handler)
		sub := log.Named("x").With("k", "v")
		for _, l := range []hclog.Logger{log, sub} {
			if l.IsTrace() != c.trace || l.IsDebug() != c.debug || l.IsWarn() != c.warns {
				t.Errorf("handler %v: trace %v, debug %v, warn %v", c.handler, l.IsTrace(), l.IsDebug(), l.IsWarn())
			}
			l.Debug("a debug line")
			l.Warn("a warning")
		}
		if got := strings.Count(out.String(), "a debug line"); (got == 2) != c.debug {
			t.Errorf("handler %v: %d debug lines", c.handler, got)
		}
		if got := strings.Count(out.String(), "a warning"); (got == 2) != c.warns {
			t.Errorf("handler %v: %d warnings", c.handler, got)
		}
	}
}

func TestAHandlerThatCannotBeAKeyOfAMapServes(t *testing.T) {
	log, out := logger(slog.LevelInfo)
	log.Info("before")
	bad := hclogslog.New(unhashable{slog.NewTextHandler(out, nil), []int{1}})
	bad.Info("through it")
	if !strings.Contains(out.String(), "through it") {
		t.Errorf("written: %s", out)
	}
}

// unhashable is a handler that is not comparable.
type unhashable struct {
	slog.Handler
	_ []int
}
