package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goconvoke/convoke/ops"
)

// ago is how long before the page a moment was.
func (v *view) ago(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return duration(v.At.Sub(*t)) + " ago"
}

// in is how long after the page a moment is.
func (v *view) in(t *time.Time) string {
	if t == nil {
		return ""
	}
	if d := t.Sub(v.At); d > 0 {
		return "in " + duration(d)
	}
	return "now"
}

// last is how old an answer of a source is.
func last(m *ops.Moment) string {
	if m == nil {
		return "never"
	}
	return duration(time.Duration(m.Age*float64(time.Second))) + " ago"
}

// duration has at most two units: "3 s", "4 m 10 s", "2 d 3 h".
func duration(d time.Duration) string {
	seconds := int64(max(0, d) / time.Second)
	var parts []string
	for _, u := range []struct {
		name string
		size int64
	}{{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}} {
		if n := seconds / u.size; n > 0 && len(parts) < 2 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.name))
			seconds -= n * u.size
		} else if len(parts) == 1 {
			break
		}
	}
	if len(parts) == 0 {
		return "0 s"
	}
	return strings.Join(parts, " ")
}

// milliseconds writes the round trip of a link.
func milliseconds(seconds *float64) string {
	if seconds == nil {
		return "not known"
	}
	return strconv.FormatFloat(*seconds*1000, 'f', 2, 64) + " ms"
}

func size(bytes int) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%d B", bytes)
}

// wholeness is the state of a topology in a word and a sign, so that no colour is needed to read it.
func wholeness(t *ops.Topology) (sign, word, class string) {
	switch {
	case t.Whole:
		return "✓", "whole", "good"
	case t.Formed:
		return "!", "not whole", "bad"
	}
	return "…", "forming", "wait"
}

// statusSign is the status of a member as a sign.
func statusSign(status string) (sign, class string) {
	switch status {
	case "up":
		return "✓", "good"
	case "degraded":
		return "~", "wait"
	case "left":
		return "–", ""
	}
	return "✗", "bad"
}

// count writes a number and its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// statuses counts the members, those that are up first: "3 up, 1 down".
func (v *view) statuses() string {
	var parts []string
	for _, status := range []string{"up", "degraded", "down", "left"} {
		if n := v.Members[status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, status))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// names lists members, a bounded number of them.
func names(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	if len(all) > maxRows {
		return strings.Join(all[:maxRows], ", ") + fmt.Sprintf(" and %d more", len(all)-maxRows)
	}
	return strings.Join(all, ", ")
}

// voters lists the voters of a quorum, with what is special about each.
func voters(all []ops.Voter) string {
	var out []string
	for _, v := range all {
		name := v.Name
		switch {
		case v.Learner:
			name += " (learns)"
		case v.Leaving:
			name += " (is replaced)"
		}
		out = append(out, name)
	}
	return names(out)
}
