package core

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// loner is a core without others, driven by plain calls.
type loner struct {
	*Core
	now time.Time
}

var start = time.UnixMilli(1_700_000_000_000)

func newLoner(change func(*Config)) *loner {
	cfg := DefaultConfig()
	cfg.ID, cfg.Addr, cfg.Generation = "a", "a:1", 1
	if change != nil {
		change(&cfg)
	}
	return &loner{New(cfg, rand.New(rand.NewPCG(1, 2)), start), start}
}

func (l *loner) do(in Input) []Output { return l.Step(l.now, in) }

// pass ticks as a shell does until d has passed.
func (l *loner) pass(d time.Duration) (out []Output) {
	for end := l.now.Add(d); ; {
		next := l.NextTick()
		if next.After(end) {
			l.now = end
			return append(out, l.do(Tick{})...)
		}
		l.now = next
		out = append(out, l.do(Tick{})...)
	}
}

// has reports whether a key has a value.
func (l *loner) has(key string) bool { _, _, ok := l.Shared(key); return ok }

func TestAStepEndsABoundedNumberOfKeysAndTheNextFollowsAtOnce(t *testing.T) {
	l := newLoner(nil)
	for i := range 20_000 {
		l.do(SharedSet{Key: fmt.Sprint("key", i), Value: "v", TTL: 10 * time.Second})
	}
	l.pass(9900 * time.Millisecond)
	ended, steps := 0, 0
	for end := l.now.Add(200 * time.Millisecond); l.NextTick().Before(end); steps++ {
		l.now = l.NextTick()
		out := l.do(Tick{})
		if len(out) > 1100 {
			t.Fatalf("one step ends %d keys", len(out))
		}
		ended += len(out)
	}
	if ended < 20_000 {
		t.Errorf("%d keys ended within 100 ms of their time, in %d steps", ended, steps)
	}
}

func TestAKeyEndsWithinTenMillisecondsOfItsTime(t *testing.T) {
	l := newLoner(nil)
	l.do(SharedSet{Key: "k", Value: "v", TTL: 1234 * time.Millisecond})
	out := l.pass(1233 * time.Millisecond)
	if !l.has("k") {
		t.Error("it ended before its time")
	}
	for end := l.now.Add(11 * time.Millisecond); !l.NextTick().After(end); {
		l.now = l.NextTick()
		out = append(out, l.do(Tick{})...)
	}
	reported := false
	for _, o := range out {
		r, ok := o.(RememberShared)
		reported = reported || ok && r.Entry.Key == "k" && r.Entry.Deleted
	}
	if !reported || l.has("k") {
		t.Errorf("10 ms after its time: reported %v, readable %v", reported, l.has("k"))
	}
}

func TestUniqueKeysSetAndDeletedLeaveAnEmptyMapWritable(t *testing.T) {
	l := newLoner(nil)
	for i := range 100_000 {
		key := fmt.Sprintf("job/%032d", i)
		l.do(SharedSet{Key: key, Value: "v"})
		l.do(SharedDelete{Key: key})
		l.pass(10 * time.Millisecond) // 60,000 in 10 minutes
		if _, _, ok := l.Shared(key); ok {
			t.Fatalf("key %d is not deleted", i)
		}
	}
	if err := l.CheckSharedSet("one more", "v"); err != nil {
		t.Error(err)
	}
}

func TestWhatIsOnTheOwnDiskIsTakenWhateverTheClockShows(t *testing.T) {
	l := newLoner(nil)
	tomorrow := start.Add(24 * time.Hour)
	out := l.do(Restore{Shared: []SharedEntry{{Key: "k", Value: "v", Stamp: Stamp(tomorrow.UnixMilli() << 16), Writer: 7}}})
	if !l.has("k") {
		t.Error("the entry has vanished")
	}
	reported := 0
	for _, o := range out {
		if _, ok := o.(RememberShared); ok {
			reported++
		}
	}
	if reported != 1 {
		t.Errorf("%d outputs for what was taken, want 1", reported)
	}
	if err := l.CheckSharedSet("k", "w"); err != nil {
		t.Errorf("a write that closely follows one of the future: %v", err)
	}
	if err := l.CheckSharedSet("other", "w"); err != nil {
		t.Errorf("a write of another key: %v", err)
	}
}

func TestARemovalOnTheOwnDiskIsHonouredWithAClockThatIsBehind(t *testing.T) {
	for _, rejoin := range []bool{false, true} {
		l := newLoner(func(c *Config) { c.Rejoin = rejoin })
		tomorrow := start.Add(24 * time.Hour)
		out := l.do(Restore{Shared: []SharedEntry{{Space: SpaceMember, Key: "a", Value: "r\x00\x00\x00\x00\x00\x00\x00\x01",
			Stamp: Stamp(tomorrow.UnixMilli() << 16), Writer: 7, Expires: tomorrow.Add(time.Hour).UnixMilli()}}})
		removed := false
		for _, o := range out {
			_, ok := o.(Removed)
			removed = removed || ok
		}
		if removed == rejoin {
			t.Errorf("with Rejoin %v it is removed: %v", rejoin, removed)
		}
	}
}

func TestARemovalIsTakenWhateverItsStampButNoOtherWriteOfTheFuture(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "b")
	l.meet(2, "x")
	ahead := stampAt(MomentAt(l.now.Add(20 * time.Minute)))
	removal := SharedEntry{Space: SpaceMember, Key: "x", Value: removalOf(1), Stamp: ahead, Writer: 7, Expires: MomentAt(l.now.Add(time.Hour)).Time().UnixMilli()}
	table := sharedTable{l.host, &l.shared, &l.sharedFlood, &l.cluster}
	for space, want := range map[Space]bool{SpaceMember: true, SpaceUser: false} {
		if got := table.takes(claim{id: SharedID(space, "x"), hi: uint64(ahead), lo: 7}); got != want {
			t.Errorf("space %d: an entry of the future is asked for: %v, want %v", space, got, want)
		}
	}
	l.receive(1, &SharedDelta{Entries: []SharedEntry{removal, {Key: "k", Value: "v", Stamp: ahead, Writer: 7}}})
	if _, ok := l.Member("x"); ok {
		t.Error("x is a member though its removal came")
	}
	if l.has("k") {
		t.Error("a write of the future was taken")
	}
	far := removal
	far.Key, far.Stamp = "b", stampAt(MomentAt(l.now).Add(2*farGeneration))
	l.receive(1, &SharedDelta{Entries: []SharedEntry{far}})
	if _, ok := l.Member("b"); !ok {
		t.Error("a removal was taken whose stamp no clock can have given")
	}
}

func TestWhatWasWrittenAloneByAClockAheadStaysNewerThanWhatOthersHave(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "b")
	l.receive(1, &SharedDelta{Entries: []SharedEntry{l.write("k", 7)}})
	_, had, _ := l.Shared("k")
	l.do(LinkDown{Link: 1})
	l.pass(20 * time.Minute)
	l.do(SharedSet{Key: "k", Value: "earlier"})
	l.do(SharedSet{Key: "k", Value: "alone"})
	l.do(SharedSet{Key: "new", Value: "alone"})
	behind := l.now.Add(-40 * time.Minute)
	l.do(LinkUp{Link: 2, ID: "c", Generation: 1, Addr: "c:1", Clock: behind.UnixMilli()})
	sentTo := map[string]Stamp{}
	for _, d := range sent[*SharedDelta](l.pass(time.Second), 2) {
		for _, e := range d.Entries {
			sentTo[e.Key] = e.Stamp
		}
	}
	value, stamp, _ := l.Shared("k")
	if value != "alone" || stamp != had+1 || sentTo["k"] != stamp {
		t.Errorf("k = %q, stamped %v, sent as %v, want it just above %v", value, stamp, sentTo["k"], had)
	}
	if _, stamp, _ := l.Shared("new"); stamp > stampAt(MomentAt(behind.Add(clockAhead))) || sentTo["new"] != stamp {
		t.Errorf("a new key is stamped %v, sent as %v, want it of the present of the cluster, %v", stamp.Time(), sentTo["new"].Time(), behind)
	}
}
