package core

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// follower is what a watch makes of its pages.
type mapFollower struct {
	prefix      string
	has         map[string]string
	since       uint64 // 0: not all pages are there
	after       string
	start       uint64 // of the first page
	seen        map[string]string
	pages, most int
}

// take follows one page, as a member does.
func (f *mapFollower) take(p mapPage) {
	f.pages++
	f.most = max(f.most, len(p.Changes))
	if !p.Whole {
		for _, c := range p.Changes {
			if c.Deleted {
				delete(f.has, c.Key)
			} else {
				f.has[c.Key] = string(c.Value)
			}
		}
		f.since = p.Index
		return
	}
	if f.after == "" {
		f.start, f.seen = p.Index, map[string]string{}
	}
	for _, c := range p.Changes {
		f.seen[c.Key] = string(c.Value)
		f.after = c.Key
	}
	if !p.More {
		f.has, f.since, f.after = f.seen, f.start, ""
	}
}

// Changes go on between the pages of a watch, more than are remembered too; once it has all pages, it has the map.
func TestPagesOfAWatchGiveTheMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	m, f := newMap(), &mapFollower{prefix: "a", has: map[string]string{}}
	index := uint64(0)
	write := func() {
		index++
		o := op{kind: opPut, key: fmt.Sprintf("%c%03d", 'a'+rng.IntN(2), rng.IntN(400)), value: make([]byte, rng.IntN(2000))}
		if it := m.items[o.key]; it != nil {
			o.token = it.index
			if rng.IntN(3) == 0 {
				o.kind = opDelete
			}
		}
		for i := range o.value {
			o.value[i] = 'a' + byte(rng.IntN(26))
		}
		m.apply(index, &o, anySession)
	}
	wholes := 0
	for range 3000 {
		for range rng.IntN(10) {
			write()
		}
		if rng.IntN(300) == 0 {
			for range 2 * maxHistory {
				write()
			}
		}
		since := f.since
		if f.after != "" {
			since = 0
		}
		p := m.scan(f.prefix, since, f.after, index)
		if p.Whole && f.after == "" {
			wholes++
		}
		f.take(p)
	}
	for f.since != index || f.after != "" {
		f.take(m.scan(f.prefix, f.since, f.after, index))
	}
	want := map[string]string{}
	for key, it := range m.items {
		if key[0] == 'a' {
			want[key] = string(it.value)
		}
	}
	if diff := cmp.Diff(want, f.has); diff != "" {
		t.Errorf("the watch has another map (-want +got):\n%s", diff)
	}
	if wholes < 3 || f.most > maxPage/100 {
		t.Errorf("%d times all keys, at most %d changes in a page: not what this is to test", wholes, f.most)
	}
}

func TestTheHistoryOfTheMapHasABound(t *testing.T) {
	m := newMap()
	for i := range uint64(5 * maxHistory) {
		m.note(i+1, fmt.Sprint(i%100_000))
	}
	h := m.history
	if len(h.changes) > maxHistory || len(h.newest) > maxHistory || h.since != h.changes[0].index-1 {
		t.Errorf("%d changes and %d keys since %d, the first is of %d", len(h.changes), len(h.newest), h.since, h.changes[0].index)
	}
}

func TestAWatchWaitsAtTheLeaderAndOutlivesIt(t *testing.T) {
	s := begin(t, 5, nil)
	s.requests = &traffic{}
	n := s.nodes[4] // not a voter
	s.nextWatch(n)
	s.run(time.Second)
	if f := n.watch.mapFollower; f.since == 0 || len(f.has) != 0 {
		t.Fatalf("a first watch of an empty map has %v since %d", f.has, f.since)
	}
	s.leader().crash()
	s.run(2 * time.Second)
	pages := n.watch.pages
	w := s.leader()
	w.requests[1<<40] = &simRequest{node: w, key: "k1", write: true, began: s.w.Now}
	w.step(Write{ID: 1 << 40, Key: "k1", Value: []byte("v"), Timeout: time.Second})
	s.run(200 * time.Millisecond)
	if f := n.watch.mapFollower; f.has["k1"] != "v" || f.pages != pages+1 || pages > 2 {
		t.Errorf("after the leader's death and a write the watch has %v in %d pages, before it %d", f.has, f.pages, pages)
	}
	s.finish(t, 5*time.Second)
}
