package core

import (
	"slices"
	"time"
)

// isSure reports whether a member that is up was so by the last verdict, or nothing was lost since, and is not in doubt. When two parts
// of a cluster meet, members that are long gone rise for a moment: over links of which one record still has both ends, while the next
// record, of the same frame or of a later one, takes them back.
func (v *verdict) isSure(t *slot) bool {
	return !t.doubted && (v.lostAt == 0 || t.risen < v.lostAt)
}

// doubt notes that a member may be up by old news only: one that was gone for a while and rises, or one whose rise was not sure when it
// was first missed.
func (v *verdict) doubt(t *slot) {
	if !t.doubted {
		t.doubted = true
		v.doubts = append(v.doubts, t)
	}
}

// endDoubts ends the doubts about members that can be reached by the last verdict, and rose before the last comparison with each neighbour
// that showed no difference: there is no news left that takes back what they rose by.
func (v *verdict) endDoubts() {
	if len(v.doubts) == 0 {
		return
	}
	compared := v.comparedAt()
	v.doubts = orNil(slices.DeleteFunc(v.doubts, func(t *slot) bool {
		if t.doubted && (t.missed != 0 || v.lostAt != 0 || t.risen >= compared) {
			return false
		}
		t.doubted = false
		v.forgetting.ripen(t)
		return true
	}))
}

// comparedAt is the running time at which the records were last equal to those of each neighbour, by its heartbeats: now without links,
// 0 while a neighbour has not sent one.
func (v *verdict) comparedAt() time.Duration {
	at := v.now()
	for _, l := range v.links.list {
		switch x := &l.records; {
		case x.lastAt == 0:
			return 0
		case x.same:
			at = min(at, x.lastAt)
		default:
			at = min(at, x.sameAt)
		}
	}
	return at
}
