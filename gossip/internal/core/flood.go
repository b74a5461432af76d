package core

import "time"

// flood pushes changes over the links. Every change goes to every link whose peer has not shown that it has it, so that a
// connected graph of reliable streams reaches every member. Urgent changes leave after Config.Coalesce. The others, which no program waits
// for, leave after Config.Relax, and if they are many only over eager links: those over which the records reached us first, a
// tree in the manner of Plumtree (Leitão et al., "Epidemic Broadcast Trees", SRDS 2007). What the tree misses is found by the
// hashes on the heartbeats.
type flood struct {
	*host
	links    *links
	judge    *verdict
	items    map[*slot]*item
	order    []*item
	spare    []item        // not used yet
	urgentAt time.Duration // when the urgent items are pushed; 0: there are none
	relaxAt  time.Duration // when the others are
	fresh    time.Duration // when something new last came in
}

// bulk is the number of relaxed records that make a push a bulk one. Fewer go over all links, so that they
// need no comparison of hashes to reach the members that the tree missed.
const bulk = 12

// due returns when the next push is due, in running time; 0: none waits.
func (f *flood) due() time.Duration {
	if f.urgentAt == 0 || f.relaxAt != 0 && f.relaxAt < f.urgentAt {
		return f.relaxAt
	}
	return f.urgentAt
}

// mark notes that a record changed from version prev on, heard from link from (0: by ourselves).
func (f *flood) mark(t *slot, prev uint64, from LinkID, urgent bool) *item {

	if f.items == nil {
		f.items = map[*slot]*item{}
	}
	it := f.items[t]
	if it == nil {
		it = f.newItem(t, prev)
		f.items[t] = it
		f.order = append(f.order, it)
	}
	if prev == 0 { // the record was replaced
		it.has = it.has[:0]
	}
	it.prev = min(it.prev, prev)
	if from != 0 {
		it.recordHolder(from, t.rec.version)
	}
	it.urgent = it.urgent || urgent
	if it.urgent {
		soonest(&f.urgentAt, f.now()+f.patiently(f.cfg.Coalesce))
	} else {
		soonest(&f.relaxAt, f.now()+f.patiently(f.jitter(f.cfg.Relax)))
	}
	return it
}

// newItem returns an item. Storms make many that are soon gone, so they come from pieces of memory of their own.
func (f *flood) newItem(t *slot, prev uint64) *item {
	if len(f.spare) == 0 {
		f.spare = make([]item, 8)
	}
	it := &f.spare[0]
	f.spare = f.spare[1:]
	it.slot, it.prev, it.has = t, prev, it.room[:0]
	return it
}

// markHas notes that the peer of a link has the present version of a record.
func (f *flood) markHas(t *slot, l LinkID) {
	if it := f.items[t]; it != nil {
		it.recordHolder(l, t.rec.version)
	}
}

// hurry sends at once all changes that wait to be sent together: a member was lost, so any link may matter.
func (f *flood) hurry() {
	for _, it := range f.order {
		it.urgent = true
		soonest(&f.urgentAt, f.now()+f.patiently(0))
	}
}

// work pushes what is due. Urgent items and the others have deadlines of their own: one urgent change must not carry along a storm
// of others, nor wait for them. Urgent items go over all links, unless this node is so far behind that it could not write them all in
// time; then the tree carries them, and the hashes show what it missed.
func (f *flood) work() {
	now := f.now()
	if f.urgentAt != 0 && now >= f.urgentAt {
		f.urgentAt = 0
		items := f.take(true)
		f.push(items, f.load.lag > lagBulk)
	}
	if f.relaxAt != 0 && now >= f.relaxAt {
		f.relaxAt = 0
		items := f.take(false)
		f.push(items, len(items) > bulk)
	}
}

// take removes and returns the urgent items, or the others.
func (f *flood) take(urgent bool) []*item {
	var out, rest []*item
	for _, it := range f.order {
		if it.urgent == urgent {
			out = append(out, it)
			delete(f.items, it.slot)
		} else {
			rest = append(rest, it)
		}
	}
	f.order = rest
	if len(rest) == 0 {
		f.items = nil // after a storm, it is large
	}
	return out
}

// push sends items to all links, or in bulk to the eager ones.
func (f *flood) push(items []*item, inBulk bool) {
	if len(items) == 0 {
		return
	}
	links := f.links.list
	if inBulk {
		links = f.links.forBulk()
	}
	// Most links lack the same part of a record, so that is worked out once for all of them; see deltasSince.
	deltas := make([]deltasSince, len(items))
	for _, l := range links {
		lacked := 0
		for _, it := range items {
			if it.isLackedBy(l) {
				lacked++
			}
		}
		out := make([]RecordDelta, 0, lacked)
		for i, it := range items {
			if it.isLackedBy(l) {
				out = deltas[i].get(f, it, it.from(l.id)).appendParts(out)
			}
		}
		f.sendRecords(l, out)
	}
}

// sendRecords sends records in frames of at most about maxFrame.
func (f *flood) sendRecords(l *link, records []RecordDelta) { f.sendFrames(l, records, false) }

// sendFrames is sendRecords; with last, the frames are an answer, and its end is marked even if there is nothing to send.
func (f *flood) sendFrames(l *link, records []RecordDelta, last bool) {
	for len(records) > 0 || last {
		n, w := 0, 0
		for n < len(records) && (n == 0 || w < maxFrame) {
			w += records[n].weight()
			n++
		}
		ends := last && n == len(records)
		f.send(l, &Delta{Records: records[:n:n], Last: ends})
		records, last = records[n:], last && !ends
	}
}

// wrote spreads what was written to the own record above version prev.
func (f *flood) wrote(prev uint64, urgent bool) {
	f.stale = true
	it := f.mark(f.self, prev, 0, urgent)
	it.relayed = it.relayed || urgent
}
