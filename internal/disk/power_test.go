package disk

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// world is a store in use by a user that keeps account of what it promised.
type world struct {
	t      *testing.T
	what   string // names the run in messages
	disk   *memory
	course *rand.Rand
	s      *Store

	holds map[string]string   // what readers of s see
	may   []map[string]string // what may be on the disk
	aside bool                // a SetAside was interrupted: a file it was to rename may come back alone, and be reported as damage
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s, step %d: %s", w.what, w.disk.step, fmt.Sprintf(format, args...))
}

// open opens the store until that succeeds and compares it with what may be there.
func (w *world) open() {
	for range 100 {
		s, err := openWithin("/d", w.disk, 600)
		if err != nil {
			w.disk.restart(errors.Is(err, errPower))
			continue
		}
		w.s, w.holds = s, state(s)
		if !slices.ContainsFunc(w.may, func(m map[string]string) bool { return maps.Equal(m, w.holds) }) {
			w.fatalf("found %v, want one of %v", w.holds, w.may)
		}
		if d := s.Found().Damage; d != "" && !w.aside {
			w.fatalf("found damage: %s", d)
		}
		if s.Err() == nil {
			w.may = []map[string]string{w.holds}
		}
		return
	}
	w.fatalf("does not open")
}

// restart loses power, or only the process.
func (w *world) restart(loss bool) {
	w.disk.restart(loss)
	w.open()
}

// repair returns to a store that takes commits.
func (w *world) repair() {
	for range 100 {
		switch {
		case w.disk.off:
			w.restart(true)
		case w.s.Err() == nil:
			return
		case w.course.IntN(3) == 0:
			w.restart(w.course.IntN(2) == 0)
		default:
			w.rewrite()
		}
	}
	w.fatalf("cannot be mended: %v", w.s.Err())
}

func (w *world) rewrite() {
	if err := w.s.Rewrite(); err != nil {
		w.may = append(w.may, w.holds)
	} else {
		w.may = []map[string]string{w.holds}
	}
}

func (w *world) commit() {
	next := maps.Clone(w.holds)
	var changes []Change
	for range 1 + w.course.IntN(4) {
		key := string(rune('a' + w.course.IntN(8)))
		if w.course.IntN(3) == 0 {
			changes = append(changes, remove(key))
			delete(next, key)
		} else {
			next[key] = strings.Repeat(string(rune('A'+w.course.IntN(26))), w.course.IntN(100))
			changes = append(changes, set(key, next[key]))
		}
	}
	if err := w.s.Commit(changes); err != nil {
		w.may = append(w.may, next)
	} else {
		w.holds, w.may = next, []map[string]string{next}
	}
}

func (w *world) setAside() {
	err := w.s.SetAside()
	w.holds = state(w.s)
	if err == nil {
		w.may = nil
	}
	w.may = append(w.may, map[string]string{})
	w.aside = w.aside || err != nil
}

// live takes some steps, each from a store in order.
func (w *world) live(steps int) {
	for range steps {
		w.repair()
		switch n := w.course.IntN(30); {
		case n < 22:
			w.commit()
		case n < 25:
			w.rewrite()
		case n < 28:
			w.restart(w.course.IntN(2) == 0)
		case n < 29:
			w.setAside()
		}
		if got := state(w.s); !maps.Equal(got, w.holds) {
			w.fatalf("readers see %v, want %v", got, w.holds)
		}
	}
	w.repair()
	w.restart(true)
}

// run lives a life of which the operation number at fails, and the next of them as well for length operations.
func run(t *testing.T, seed uint64, at, length int, fault error) (operations int) {
	w := &world{
		t:      t,
		what:   fmt.Sprintf("seed %d, %v at operation %d", seed, fault, at),
		disk:   newMemory(seed<<32 + uint64(at)),
		course: rand.New(rand.NewPCG(seed, 2)),
		may:    []map[string]string{{}},
	}
	w.disk.fault = func() error {
		if n := w.disk.step; n > at && n <= at+length {
			return fault
		}
		return nil
	}
	w.open()
	w.live(40)
	return w.disk.step
}

func everyOperation(t *testing.T, length int, fault error) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	runs := 0
	for seed := range seeds {
		operations := run(t, seed, 1<<30, 0, nil)
		for at := range operations {
			run(t, seed, at, length, fault)
			runs++
		}
	}
	t.Logf("%d lives", runs)
}

func TestALossOfPowerAtAnyOperationKeepsEachCommitWhole(t *testing.T) { everyOperation(t, 1, errPower) }

func TestAFailureOfAnyOperationLosesNothing(t *testing.T) { everyOperation(t, 1, errIO) }

func TestAFullDiskAtAnyOperationLosesNothing(t *testing.T) { everyOperation(t, 12, errSpace) }
