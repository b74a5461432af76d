package core

import (
	"math"
	"testing"
)

func TestAGenerationThatCannotBeOutbidIsRefused(t *testing.T) {
	c := limited(t, DefaultLimits())
	d := whole("m", 1)
	d.Generation = math.MaxUint64
	if got := rejected(c, d); got != "generation is far beyond all clocks" {
		t.Errorf("a record of the last generation there is: %q", got)
	}
	d = whole("self", 1)
	d.Generation = math.MaxUint64
	for _, o := range c.Step(c.clock.last, Received{Link: 1, Frame: &Delta{Records: []RecordDelta{d}}}) {
		switch o.(type) {
		case Renewed, Conflict:
			t.Errorf("a forged record of this node makes it %T", o)
		}
	}
	e := DigestEntry{Node: HashID("self"), Generation: math.MaxUint64, Version: 9}
	for _, o := range c.Step(c.clock.last, Received{Link: 1, Frame: &Digest{Mask: 1, Entries: []DigestEntry{e}}}) {
		switch o.(type) {
		case Renewed, Conflict:
			t.Errorf("a forged digest makes this node %T", o)
		}
	}
}
