package core

import (
	"slices"
	"time"
)

// sharedFlood pushes writes of the shared map to all members along a tree of links (Plumtree: Leitão et al., "Epidemic Broadcast
// Trees", SRDS 2007). A link is eager or lazy, the same for both of its ends, and begins eager. Writes go over the eager links. Where
// that makes a circle, a frame brings nothing new, and its receiver makes the link lazy. Over a lazy link a write is only announced,
// a little later, and not if the peer has shown that it has it. An announced write that does not come by the tree was lost with a link
// or a member: it is asked for where it was announced, and that link is eager again.
//
// An announcement takes half the bytes of a small write. It waits long enough that one of the two ends has mostly heard it from the
// other before its own is due. What concerns members goes over all links at once, so a lost tree never delays it.
type sharedFlood struct {
	*host
	links      *links
	cluster    *clusterClock
	shared     *sharedMap
	sharedMaps *exchanger

	held       heldEntries
	items      map[uint64]*sharedItem // by SharedID: of each key the newest write, until it is announced
	order      []*sharedItem          // to be pushed
	pushAt     time.Duration
	first      []*sharedItem // pushed and to be announced by the first end of each lazy link, by time
	second     []*sharedItem // to be announced by the other end, by time
	announceAt time.Duration
	lacks      map[uint64]*lackedWrite
	waiting    []*lackedWrite // in lacks, and others that have come
	askAt      time.Duration
	eager      []LinkID      // the eager links when the tree was last looked at
	root       NodeID        // the writer whose writes show where the tree has circles
	rootAt     time.Duration // when it last wrote; 0: there is none
	pruneAt    time.Duration // when links that close circles are made lazy
	fresh      time.Duration // when something new last came in
}

// sharedItem is an entry and the links whose peers have it.
type sharedItem struct {
	entry      *SharedEntry
	has        []LinkID
	announceAt time.Duration // at the first ends; 0: not pushed yet
}

func (it *sharedItem) recordHolder(l LinkID) {
	if !slices.Contains(it.has, l) {
		it.has = append(it.has, l)
	}
}

// spread pushes an entry, which took the place of one with stamp had, on to all neighbours but the one it came from, 0: it is ours.
// One that is of the future waits until no neighbour takes it for that.
func (f *sharedFlood) spread(e *SharedEntry, had Stamp, from LinkID) {
	f.stale = true
	if f.cluster.isAhead(e.id(), e.Stamp, had) {
		f.held.add(e)
		return
	}
	id := e.id()
	it := f.items[id]
	if from == 0 {
		f.observe(nil, e, true)
	}
	if it == nil || it.announceAt != 0 {
		if f.items == nil {
			f.items = map[uint64]*sharedItem{}
		}
		it = &sharedItem{}
		f.items[id] = it
		f.order = append(f.order, it)
	}
	it.entry, it.has = e, it.has[:0]
	if from != 0 {
		it.has = append(it.has, from)
	}
	wait := f.cfg.Coalesce
	if from != 0 {
		wait /= relayFaster
	}
	soonest(&f.pushAt, f.now()+wait)
}

// relayFaster is by how much less a write of another node waits for company than an own one: it has waited at its writer, and each
// hop of the tree adds to the time that the last member waits.
const relayFaster = 4

// markHas notes that the peer of a link has a write that is to be pushed or announced.
func (f *sharedFlood) markHas(v SharedVersion, l LinkID) {
	if it := f.items[v.ID]; it != nil && it.entry.Stamp == v.Stamp {
		it.recordHolder(l)
	}
}

// work sends what is due: writes, announcements and questions.
func (f *sharedFlood) work() {
	f.sendHeld()
	f.tendTree()
	now := f.now()
	if f.pushAt != 0 && now >= f.pushAt {
		f.pushAt = 0
		f.pushEager()
	}
	if f.announceAt != 0 && now >= f.announceAt {
		f.announceAt = 0
		f.announce()
	}
	if f.askAt != 0 && now >= f.askAt {
		f.askAt = 0
		f.askForLacked()
	}
	if f.pruneAt != 0 && now >= f.pruneAt {
		f.pruneAt = 0
		f.prune()
	}
}

// pushEager sends what waited for company over the eager links.
func (f *sharedFlood) pushEager() {

	items := f.order
	f.order = nil
	for _, l := range f.links.list {
		var out []SharedEntry
		for _, it := range items {
			// Entries about members are few and go over lazy links too, so that a broken tree does not delay them.
			if l.lazy && it.entry.Space == SpaceUser || slices.Contains(it.has, l.id) {
				continue
			}
			out = append(out, *it.entry)
			it.recordHolder(l.id) // a link delivers in order or ends, so what is sent counts as held
		}
		f.sendWrites(l, out)
	}
	for _, it := range items {
		it.announceAt = f.now() + f.announceAfter()
		f.first = append(f.first, it)
		soonest(&f.announceAt, it.announceAt)
	}
}

// due cuts off the items at the head of a queue that are due.
func due(queue *[]*sharedItem, isDue func(*sharedItem) bool) []*sharedItem {
	n := 0
	for n < len(*queue) && isDue((*queue)[n]) {
		n++
	}
	items := slices.Clone((*queue)[:n])
	*queue = slices.Delete(*queue, 0, n)
	return items
}

// hasWrite reports whether this node has a write or a newer one of its key.
func (m *sharedMap) hasWrite(v SharedVersion) bool {
	e := m.byID(v.ID)
	return e != nil && e.Stamp >= v.Stamp
}

// dueAt is when the shared map next has something to do by itself, 0 if never.
func (f *sharedFlood) dueAt() time.Duration {
	at := time.Duration(0)
	for _, t := range []time.Duration{f.pushAt, f.announceAt, f.askAt, f.pruneAt} {
		if t != 0 {
			soonest(&at, t)
		}
	}
	return at
}

// sendWrites sends entries in frames of at most about maxFrame.
func (f *sharedFlood) sendWrites(l *link, entries []SharedEntry) { f.sendFrames(l, entries, false) }

// sendFrames is sendWrites; with last, the frames are an answer, and its end is marked even if there is nothing to send.
func (f *sharedFlood) sendFrames(l *link, entries []SharedEntry, last bool) {
	for len(entries) > 0 || last {
		n, w := 0, 0
		for n < len(entries) && (n == 0 || w < maxFrame) {
			w += entries[n].cost()
			n++
		}
		ends := last && n == len(entries)
		f.send(l, &SharedDelta{Clock: f.clock.last.UnixMilli(), Entries: entries[:n:n], Last: ends})
		entries, last = entries[n:], last && !ends
	}
}

// pushAll sends what waits for company, over all links: nothing is sent after a Bye.
func (f *sharedFlood) pushAll() {
	if f.pushAt == 0 {
		return
	}
	for _, l := range f.links.list {
		l.lazy = false
	}
	f.pushAt = 0
	f.pushEager()
}
