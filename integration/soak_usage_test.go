package integration

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// usage is what the nodes that are never killed use, the most of any. The program does not report how many goroutines it has: what they
// hold, descriptors and memory, and the threads they wait in show when these grow.
type usage struct{ rss, files, threads int } // rss in KiB

var procStatus = regexp.MustCompile(`(?m)^(VmRSS|Threads):\s+(\d+)`)

// usage measures.
func (s *soak) usage() usage {
	s.t.Helper()
	var most usage
	for i := 1; i <= soakUnkilled; i++ {
		proc := fmt.Sprintf("/proc/%d/", s.agents[i].PID())
		status, err := os.ReadFile(proc + "status")
		if err != nil {
			s.t.Fatal(err)
		}
		files, err := filepath.Glob(proc + "fd/*")
		if err != nil {
			s.t.Fatal(err)
		}
		most.files = max(most.files, len(files))
		for _, m := range procStatus.FindAllStringSubmatch(string(status), -1) {
			n, err := strconv.Atoi(m[2])
			if err != nil {
				s.t.Fatal(err)
			}
			if m[1] == "Threads" {
				most.threads = max(most.threads, n)
			} else {
				most.rss = max(most.rss, n)
			}
		}
	}
	s.t.Logf("a node uses at most %d KiB, %d descriptors, %d threads", most.rss, most.files, most.threads)
	return most
}

// wantFlat fails the test when the second half of the measurements shows that something grows without end.
func wantFlat(t *testing.T, used []usage) {
	t.Helper()
	for _, m := range []struct {
		what  string
		of    func(usage) int
		slack int // a few more of a small number mean nothing
	}{
		{"KiB of memory", func(u usage) int { return u.rss }, 16 << 10},
		{"descriptors", func(u usage) int { return u.files }, 16},
		{"threads", func(u usage) int { return u.threads }, 8},
	} {
		first, second := 0, 0
		for i, u := range used {
			if i < (len(used)+1)/2 {
				first = max(first, m.of(u))
			} else {
				second = max(second, m.of(u))
			}
		}
		if second > first*3/2+m.slack {
			t.Errorf("a node used up to %d %s in the second half and %d in the first", second, m.what, first)
		}
	}
}

const (
	kindAnHour  = 50 // log lines of one kind, at one node
	kindAtLeast = 10 // of one process, however short the test is: the first six come at once, and after two minutes there may be nine
	kindAtStart = 3  // of each further process: it logs what it meets, whatever the one before it has logged
)

// logsAreShort fails the test when a node logged too many lines of one kind, however many faults there were.
func (s *soak) logsAreShort(d time.Duration) {
	s.t.Helper()
	most, unkilled := map[string]int{}, map[string]int{}
	for i := 1; i <= soakHosts; i++ {
		allowed := max(kindAtLeast, int(kindAnHour*d.Hours())) + kindAtStart*(s.starts[i]-1)
		for kind, n := range s.agents[i].LogKinds() {
			most[kind] = max(most[kind], n)
			if i <= soakUnkilled {
				unkilled[kind] = max(unkilled[kind], n)
			}
			if n > allowed {
				s.t.Errorf("%s, started %d times in %d faults, logged %d times %q, want at most %d", name(i), s.starts[i], s.begun, n, kind, allowed)
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(most)) {
		s.t.Logf("a node logged at most %d times %q, one that was never killed %d times", most[kind], kind, unkilled[kind])
	}
}
