package core

import (
	"slices"
	"time"
)

// announceAfter is how long a write that was pushed waits before it is announced over lazy links, and waits again before the other ends
// do so. Which end is the first differs from key to key. The other one mostly has nothing left to announce.
func (f *sharedFlood) announceAfter() time.Duration { return f.cfg.Coalesce }

// announcesFirst reports whether this end of a link is the first to announce a key.
func (f *sharedFlood) announcesFirst(l *link, id uint64) bool {
	return (f.self.node < l.peer.node) == (id>>8&1 == 0)
}

// manyLinks is the number of links from which on a key is announced over half of them, another half for each key: the announcements of
// six lazy links take more than a small write itself, and three are enough for all but one in fifty of the nodes that need one.
const manyLinks = 6

// announces reports whether a key is announced over a link. The two ends, if both have many links, come to the same answer.
func (f *sharedFlood) announces(l *link, id uint64) bool {
	return len(f.links.list) < manyLinks || mix(uint64(f.self.node^l.peer.node)^id)&1 == 0
}

// announce names the writes that are due over lazy links, and those that are due soon with them.
func (f *sharedFlood) announce() {
	now := f.now() + f.cfg.Coalesce
	second := due(&f.second, func(it *sharedItem) bool { return it.announceAt+2*f.announceAfter() <= now })
	first := due(&f.first, func(it *sharedItem) bool { return it.announceAt <= now })
	f.announceItems(second, false)
	f.announceItems(first, true)
	for _, it := range second {
		if id := it.entry.id(); f.items[id] == it {
			delete(f.items, id)
		}
	}
	f.second = append(f.second, first...)
	if len(f.first) > 0 {
		soonest(&f.announceAt, f.first[0].announceAt)
	}
	if len(f.second) > 0 {
		soonest(&f.announceAt, f.second[0].announceAt+2*f.announceAfter())
	}
}

// announceItems names writes over the links of which this end is the first one to do so, or is not, and whose peers have not shown that
// they have them.
func (f *sharedFlood) announceItems(items []*sharedItem, first bool) {
	for _, l := range f.links.list {
		var out []SharedVersion
		for _, it := range items {
			id := it.entry.id()
			if f.items[id] == it && f.announcesFirst(l, id) == first && f.announces(l, id) && !slices.Contains(it.has, l.id) {
				out = append(out, SharedVersion{ID: id, Stamp: it.entry.Stamp}) // the stamp names the write well enough
				it.recordHolder(l.id)
			}
		}
		for part := range slices.Chunk(out, maxFrame/24) {
			f.send(l, &SharedAnnounce{Entries: part})
		}
	}
}
