package gossip

import (
	"fmt"
	"sync"
	"testing"
)

// full starts a node alone with 1,000 shared keys and one of its own.
func full(t testing.TB) *Node {
	t.Helper()
	n, err := Start(Config{Name: "a", ClusterID: "test", Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	for i := range 1000 {
		if err := n.Shared().Set(t.Context(), fmt.Sprint("key", i), "value", 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Set("own", "value"); err != nil {
		t.Fatal(err)
	}
	return n
}

// reads are the ways to read a node, each true if it found what there is.
func reads(n *Node) map[string]func() bool {
	return map[string]func() bool{
		"view":   func() bool { return len(n.View().Members) == 1 },
		"own":    func() bool { _, ok := n.Get("a", "own"); return ok },
		"shared": func() bool { _, ok := n.Shared().Get("key500"); return ok },
	}
}

func TestReadsAllocateNothing(t *testing.T) {
	for name, read := range reads(full(t)) {
		if !read() {
			t.Errorf("%s found nothing", name)
		}
		if n := testing.AllocsPerRun(1000, func() { read() }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// BenchmarkRead reads from all processors at once; beside it what a program would do without us: a map under a lock for readers.
func BenchmarkRead(b *testing.B) {
	all := reads(full(b))
	var lock sync.RWMutex
	m := map[string]string{"key500": "value"}
	all["rwmutex"] = func() bool {
		lock.RLock()
		defer lock.RUnlock()
		_, ok := m["key500"]
		return ok
	}
	for _, name := range []string{"view", "own", "shared", "rwmutex"} {
		read := all[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if !read() {
						b.Error("nothing there")
					}
				}
			})
		})
	}
}
