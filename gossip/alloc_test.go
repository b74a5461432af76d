package gossip

import (
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/transport"
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
		if err := n.Shared().Set(t.Context(), fmt.Sprint("key", i), "value"); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Set(t.Context(), "own", "value"); err != nil {
		t.Fatal(err)
	}
	return n
}

// reads are the ways to read a node, each true if it found what there is.
func reads(n *Node) map[string]func() bool {
	return map[string]func() bool{
		"view":   func() bool { return n.View().Len() == 1 },
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

// knowing starts a node that knows so many members, by what one neighbour claims.
func knowing(b *testing.B, members int) *Node {
	b.Helper()
	mem := transport.NewMemory()
	n := start(b, mem, "a")
	c := memoryLink(b, mem, n.Addr())
	go func() { _, _ = io.Copy(io.Discard, c) }()
	b.Cleanup(func() { _ = c.Close() })
	for i := range members {
		name := fmt.Sprint("m", i)
		if _, err := c.Write(frames(b, &core.Delta{Records: []core.RecordDelta{{Node: core.HashID(name), ID: name, Generation: 1, To: 2,
			Links:   []core.LinkEntry{core.Link(core.HashID("mallory"), 2, false)},
			Entries: []core.Entry{{Kind: core.KindMeta, Key: core.MetaAddr, Value: name + ":1", Version: 1}}}}})); err != nil {
			b.Fatal(err)
		}
	}
	for n.View().Len() < members+1 {
		runtime.Gosched()
	}
	return n
}

// BenchmarkSharedSet writes to the shared map of a node that knows few members, or many: it must not matter.
func BenchmarkSharedSet(b *testing.B) {
	for _, members := range []int{2, 4001} {
		b.Run(fmt.Sprint("members=", members+1), func(b *testing.B) {
			n := knowing(b, members)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				if err := n.Shared().Set(b.Context(), fmt.Sprint(i%100), "v"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSet writes own keys of a node that has few, or many.
func BenchmarkSet(b *testing.B) {
	for _, keys := range []int{10, 10_000} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) {
			n := knowing(b, 2)
			i := 0
			set := func() {
				i++
				if err := n.Set(b.Context(), fmt.Sprint("key", i%keys), fmt.Sprint(i)); err != nil {
					b.Fatal(err)
				}
			}
			for range keys {
				set()
			}
			b.ReportAllocs()
			for b.Loop() {
				set()
			}
		})
	}
}
