package connector

import (
	"errors"
	"fmt"
	"time"
)

// Retention is how long a member that is unreachable, or has left, is kept. Zero leaves it to the connector (gossip: 72 h).
// In YAML it is a duration, 1s to 240h, or "never".
type Retention time.Duration

// Never keeps every member.
const Never Retention = -1

const (
	never        = "never"
	minRetention = time.Second
	maxRetention = 10 * 24 * time.Hour // for so long members remember that one was forgotten
)

// UnmarshalText decodes a duration or "never".
func (r *Retention) UnmarshalText(text []byte) error {
	if string(text) == never {
		*r = Never
		return nil
	}
	d, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return errors.New(`want a duration with its unit, such as "72h", or "never"`)
	case d == 0:
		return errors.New(`0 is not a time; write "never", or leave the key out for the connector's own rule`)
	}
	*r = Retention(d)
	return nil
}

// MarshalText returns what UnmarshalText decodes; "" for zero.
func (r Retention) MarshalText() ([]byte, error) { return []byte(r.text()), nil }

// String returns the duration, "never", or "default" for zero.
func (r Retention) String() string {
	if r == 0 {
		return "default"
	}
	return r.text()
}

func (r Retention) text() string {
	switch r {
	case 0:
		return ""
	case Never:
		return never
	}
	return time.Duration(r).String()
}

func (r Retention) validate() error {
	if d := time.Duration(r); r != 0 && r != Never && (d < minRetention || d > maxRetention) {
		return fmt.Errorf("%v: want %v to %v, or never", d, minRetention, maxRetention)
	}
	return nil
}
