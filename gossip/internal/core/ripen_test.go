package core

import (
	"testing"
	"time"
)

// withGone returns a node that has a link to b, and the record of x, which was last up at a moment.
func withGone(ago time.Duration) (*loner, Moment) {
	l := newLoner(func(c *Config) { c.ForgetAfter = time.Hour })
	l.meet(1, "b")
	seen := MomentAt(l.now.Add(-ago))
	l.receive(1, &Delta{Records: []RecordDelta{recordOf("x", seen, "y")}})
	return l, seen
}

// digest returns the digest of all that a node has.
func (l *loner) digest() *Digest {
	d := &Digest{Mask: ^uint64(0)}
	for _, c := range l.records.table.claims(d.Mask) {
		d.Entries = append(d.Entries, c.entry())
	}
	return d
}

// Both have the same record of x; one noted a later end, as after a cut in which x was still up on its side.
func TestTheMomentAtWhichAMemberWasLastUpReachesANodeThatHasItsRecord(t *testing.T) {
	for _, ago := range []time.Duration{40 * time.Minute, 10 * time.Minute} { // the later one is part of the hash already, or not yet
		l, _ := withGone(50 * time.Minute)
		later, seen := withGone(ago)
		if l.Hash() == later.Hash() {
			t.Fatal("the hashes are equal though one node knows of a later end")
		}
		ask := sent[*Digest](l.receive(1, later.digest()), 1)
		if len(ask) != 1 || ask[0].Mask != 0 || len(ask[0].Entries) != 1 {
			t.Fatalf("the digest of a node that knows of a later end is answered by %+v, want an ask for x", ask)
		}
		for _, d := range sent[*Delta](later.receive(1, ask[0]), 1) {
			l.receive(1, d)
		}
		if got := l.store.byNode[HashID("x")].seen; got != seen || l.Hash() != later.Hash() {
			t.Errorf("x was last up at %v, want %v, and equal hashes", got, seen)
		}
		if out := later.receive(1, l.digest()); len(sent[*Digest](out, 1)) > 0 {
			t.Error("a node asks for what it has")
		}
	}
}

// Before, the moments that nodes note for one end would make their hashes differ at each death.
func TestTheMomentIsAPartOfTheHashFromHalfOfForgetAfterOn(t *testing.T) {
	l, _ := withGone(10 * time.Minute)
	later, _ := withGone(9 * time.Minute)
	if l.Hash() != later.Hash() {
		t.Error("the hashes differ though x has not been gone for long")
	}
	for i, want := range []bool{true, true, false} {
		for _, n := range []*loner{l, later} {
			n.pass(7 * time.Minute)
			n.receive(1, &Beat{Wanted: true})
		}
		if got := l.Hash() == later.Hash(); got != want {
			t.Errorf("after %v: the hashes are equal: %v, want %v", time.Duration(i+1)*7*time.Minute, got, want)
		}
	}
}
