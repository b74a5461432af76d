package gossip

import (
	"iter"
	"slices"
	"strings"
	"time"
	"weak"

	"github.com/tidwall/btree"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// View is what a node knows at one moment: its members, and whether it reaches any of them. It is never changed, and may be read by
// many goroutines at once. Nothing in it ages: what a view shows was so when the node made it.
type View struct {
	Hash     uint64 // of the records of all members: equal at two nodes, so are the members' keys
	Shared   uint64 // hash of the shared map
	Isolated bool   // there are others, and none is reachable
	Pending  bool   // the verdict on who is up is about to be worked out again, or held back as one against most members

	members *memberMap              // nil: none
	before  weak.Pointer[memberMap] // the members of the view before, which this one does not keep in memory
	changed []string                // names of those that differ from them, in order; nil: not kept
}

// memberMap has the members of a view by name. It is a B-tree whose copies share their nodes, so that a view costs what changed since
// the last one.
type memberMap = btree.Map[string, *Member]

// renewal is a member then and now; nil where it is not known.
type renewal struct{ old, now *Member }

func (r renewal) name() string {
	if r.now != nil {
		return r.now.Name
	}
	return r.old.Name
}

// Len returns the number of members, the node itself included.
func (v *View) Len() int {
	if v.members == nil {
		return 0
	}
	return v.members.Len()
}

// All yields the members by name, the node itself included.
func (v *View) All() iter.Seq[*Member] {
	return func(yield func(*Member) bool) {
		if v.members != nil {
			v.members.Scan(func(_ string, m *Member) bool { return yield(m) })
		}
	}
}

// Member returns the member of a name. It takes no lock and allocates nothing.
func (v *View) Member(name string) (*Member, bool) {
	if v.members == nil {
		return nil, false
	}
	return v.members.Get(name)
}

// Since yields the members that differ from those of an older view of the same node, by name: as they were, nil if not known then, and
// as they are, nil if not known any longer. It costs what changed if old is the view before, and a comparison per member otherwise.
func (v *View) Since(old *View) iter.Seq2[*Member, *Member] {
	switch {
	case v.members == old.members:
		return func(func(*Member, *Member) bool) {}
	case v.changed != nil && v.before == weak.Make(old.members):
		return func(yield func(*Member, *Member) bool) {
			for _, name := range v.changed {
				was, _ := old.Member(name)
				is, _ := v.Member(name)
				if !yield(was, is) {
					return
				}
			}
		}
	}
	return func(yield func(*Member, *Member) bool) { compareMembers(old.members, v.members, yield) }
}

// compareMembers yields what differs between two maps.
func compareMembers(old, now *memberMap, yield func(*Member, *Member) bool) {
	var none memberMap
	if old == nil {
		old = &none
	}
	if now == nil {
		now = &none
	}
	a, b := old.Iter(), now.Iter()
	moreA, moreB := a.First(), b.First()
	for moreA || moreB {
		var was, is *Member
		order := strings.Compare(a.Key(), b.Key())
		if moreA && (!moreB || order <= 0) {
			was = a.Value()
		}
		if moreB && (!moreA || order >= 0) {
			is = b.Value()
		}
		if was != is && !yield(was, is) {
			return
		}
		if was != nil {
			moreA = a.Next()
		}
		if is != nil {
			moreB = b.Next()
		}
	}
}

// viewer keeps the members as they were last shown, and renews those that changed.
type viewer struct {
	source  memberSource
	noted   func(renewal) // of each member that differs; nil: none is noted
	members memberMap
	last    View // only its members
}

// memberSource is where a viewer gets its members from: a core.
type memberSource interface {
	TakeChanged() []string
	Member(name string) (core.Member, bool)
}

// maxChanged bounds View.changed: beyond that, comparing is not much more work.
const maxChanged = 256

// renew returns a view of the present members, made at a moment; the rest of it is left to fill in. It costs what changed since the
// last call, not what there is.
func (w *viewer) renew(at time.Time) View {
	var changed []string
	for _, name := range w.source.TakeChanged() {
		if r, ok := w.renewMember(name, at); ok {
			if w.noted != nil {
				w.noted(r)
			}
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return w.last
	}
	next := View{members: w.members.Copy()}
	if len(changed) <= maxChanged {
		slices.Sort(changed)
		next.before, next.changed = weak.Make(w.last.members), changed
	}
	w.last = next
	return next
}

// renewMember makes one member again, and reports whether it differs.
func (w *viewer) renewMember(name string, at time.Time) (r renewal, changed bool) {
	r.old, _ = w.members.Get(name)
	now, known := w.source.Member(name)
	if !known {
		w.members.Delete(name)
		return r, r.old != nil
	}
	m := memberOf(now, at)
	if r.old != nil {
		if r.old.Status == m.Status && r.old.Generation == m.Generation {
			m.Since = r.old.Since
		}
		if *r.old == m {
			return r, false
		}
	}
	r.now = &m
	w.members.Set(name, r.now)
	return r, true
}
