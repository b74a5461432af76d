package mlnet

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/goconvoke/convoke/internal/ratelog"
	"github.com/hashicorp/go-hclog"
)

const (
	quiet    = 2 * time.Minute // between two lines of one kind
	maxKinds = 128             // of lines that are remembered
	maxLine  = 1024            // bytes of a line of the logger
)

// Damper writes to a log and holds back what repeats: other nodes must not be able to flood
// it. It is the io.Writer behind the logger of memberlist and serf.
type Damper struct {
	log   hclog.Logger
	std   io.Writer // infers levels
	lines ratelog.Limiter
}

// NewDamper makes a damper before a log.
func NewDamper(log hclog.Logger) *Damper {
	return &Damper{
		log:   log,
		std:   log.StandardWriter(&hclog.StandardLoggerOptions{InferLevels: true}),
		lines: ratelog.Limiter{Every: quiet, Most: maxKinds},
	}
}

// Warn logs a handled mishap, at most once in a while for each message.
func (d *Damper) Warn(msg string, pairs ...any) {
	if held, ok := d.lines.AllowCount(msg, time.Now()); ok {
		if held > 0 {
			pairs = append(pairs, ratelog.UnloggedKey, held)
		}
		d.log.Warn(msg, pairs...)
	}
}

// Clash logs that two nodes carry one name, at most once in a while for each pair.
func (d *Damper) Clash(name, one, other string) {
	if _, ok := d.lines.AllowCount("clash "+name+" "+one+" "+other, time.Now()); ok {
		d.log.Error("two nodes carry the same name, give each its own",
			"member", name, "addr", one, "other_addr", other)
	}
}

// Write takes one line of the logger of memberlist or serf.
func (d *Damper) Write(p []byte) (int, error) {
	line := cleanLine(p)
	switch {
	case strings.HasPrefix(line, "[DEBUG]"):
		if !d.log.IsDebug() {
			return len(p), nil
		}
	case strings.Contains(line, "Conflicting address for"):
		return len(p), nil // clash has the better message
	default:
		held, ok := d.lines.AllowCount(kindOf(line), time.Now())
		if !ok {
			return len(p), nil
		}
		if held > 0 {
			line += fmt.Sprintf(" (and %d lines like it)", held)
		}
	}
	_, err := io.WriteString(d.std, line)
	return len(p), err
}

// cleanLine makes a line of theirs fit for our log: one line, bounded, without the prefix
// that the name of the logger repeats. Its errors become warnings, because it goes on after each of them.
func cleanLine(p []byte) string {
	if len(p) > maxLine {
		p = p[:maxLine]
	}
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.TrimSpace(string(p)))
	for _, level := range []string{"[ERR] ", "[ERROR] "} {
		if rest, ok := strings.CutPrefix(line, level); ok {
			line = "[WARN] " + rest
		}
	}
	for _, name := range []string{"] memberlist: ", "] serf: "} {
		line = strings.Replace(line, name, "] ", 1)
	}
	return line
}

// kindOf returns what lines that differ in numbers and addresses alone have in common.
func kindOf(line string) string {
	kind := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, line)
	return kind[:min(len(kind), 48)]
}
