package ops

import (
	"net/http"
	"time"
)

// KeyWrite is the body of a write of a key.
type KeyWrite struct {
	Value   *Text   `json:"value"`
	TTL     float64 `json:"ttl_seconds,omitzero"` // after which the key goes; 0: it stays
	Session bool    `json:"session,omitzero"`     // the key goes with the session of this node; of the linearizable map alone
	Expectation
}

// write returns the key of the path and the decoded body of a write.
func (r *request) write() (key string, w KeyWrite, err error) {
	if key, err = r.key(); err != nil {
		return key, w, err
	}
	if err := r.decode(&w); err != nil {
		return key, w, err
	}
	if w.Value == nil {
		return key, w, problemf(http.StatusBadRequest, `the body has no value: want {"value": ...}`)
	}
	if w.TTL < 0 || w.TTL > maxTTL {
		return key, w, problemf(http.StatusBadRequest, "ttl_seconds %v: want 0 to %v", w.TTL, float64(maxTTL))
	}
	return key, w, w.validate()
}

// maxTTL is a hundred years, in seconds.
const maxTTL = 100 * 365 * 24 * 3600

func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Expectation is what a write expects of the value that a key has.
type Expectation struct {
	Expect *Text `json:"expect"` // the value
	Absent bool  `json:"absent"` // there is none
}

// check compares the value of a key with what a write expects.
func (e Expectation) check(what, key, old string, ok bool) error {
	switch {
	case ok && e.Expect == nil:
		return problemf(http.StatusConflict, "%q has a value already: %.80q", key, old)
	case !ok && e.Expect != nil:
		return problemf(http.StatusConflict, "the %s has no key %q", what, key)
	case ok && old != string(*e.Expect):
		return problemf(http.StatusConflict, "%q has another value: %.80q", key, old)
	}
	return nil
}

// given reports whether the write expects something.
func (e Expectation) given() bool { return e.Expect != nil || e.Absent }

// validate refuses an Expectation that contradicts itself.
func (e Expectation) validate() error {
	if e.Expect != nil && e.Absent {
		return problemf(http.StatusBadRequest, "expect and absent exclude each other")
	}
	return nil
}
