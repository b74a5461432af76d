package core

import "time"

// ripeAfter is how long a member has been gone when the moment at which it was last up becomes a part of its hash: long enough that
// members that restart make no such change, and one time for all nodes, whatever their Config.ForgetAfter.
const ripeAfter = time.Hour

// ripen makes the moment at which a member was last up a part of its hash, if it has been gone for ripeAfter, or half of
// Config.ForgetAfter if that is less; or takes it out again. It returns after how long that is to be looked at again, 0 if it is not before something changes.
func (f *forgetting) ripen(t *slot) time.Duration {
	if t.rec == nil {
		return 0
	}
	gone, wait := Moment(0), time.Duration(0)
	if f.cfg.ForgetAfter > 0 && (f.isGone(t) || t.doubted) {
		at := f.roundUp(t.seen)
		if wait = min(ripeAfter, f.cfg.ForgetAfter/2) - f.cluster.moment().Sub(at); wait <= 0 {
			gone, wait = at, 0
		}
	}
	f.store.setGone(t, gone)
	return wait
}

// roundUp rounds the moment at which a member was last up: a quarter of cutTime is as long as nodes mostly differ in it.
func (f *forgetting) roundUp(seen Moment) Moment {
	cell := max(1, Moment((f.cutTime() / 4).Milliseconds()))
	return (seen + cell - 1) / cell * cell
}

// ripenDue does what ripen does for all members whose time has come, and returns when to look again, at most a duration from now. All
// nodes do so at one moment of cluster time, so that their hashes do not differ for longer than a change is under way.
func (f *forgetting) ripenDue(most time.Duration) time.Duration {
	for _, t := range f.store.slots {
		if wait := f.ripen(t); wait > 0 {
			most = min(most, wait)
		}
	}
	return most
}
