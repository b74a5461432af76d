package sockets

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/goconvoke/convoke/bench/engine"
)

// settle is how long a cluster is left alone before it is measured.
const settle = 30 * time.Second

// Child measures one engine in this process, and writes the result as JSON.
func Child(args []string, out io.Writer) error {
	if len(args) != 5 {
		return fmt.Errorf("%s wants an engine, a number of members and two durations", childFlag)
	}
	factory, err := engine.Lookup(args[1])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[2])
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a number of members", args[2])
	}
	limit, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	window, err := time.ParseDuration(args[4])
	if err != nil {
		return err
	}
	r, err := measure(factory, n, limit, window)
	if err != nil {
		return err
	}
	r.Engine = args[1]
	return json.NewEncoder(out).Encode(r)
}

func measure(factory engine.Factory, n int, limit, window time.Duration) (Result, error) {
	p := &pairs{n: n, lists: make([]bool, n*n), whole: make(chan struct{})}
	heap, before, goroutines := heapInUse(), resident(), runtime.NumGoroutine()
	cluster := factory(n, nil, p.sink)
	defer cluster.Close()
	r, per := Result{Members: n}, float64(n)
	used := cpuTime()
	formed, err := form(cluster, p, limit)
	if err != nil {
		return r, err
	}
	r.Formed, r.FormCPU = formed.Seconds(), milliseconds(cpuTime()-used)/per
	select {
	case <-p.whole:
	default:
		r.Missing = n*(n-1) - p.known()
	}
	time.Sleep(settle)
	start, used := time.Now(), cpuTime()
	time.Sleep(window)
	r.CPU = milliseconds(cpuTime()-used) / time.Since(start).Seconds() / per
	r.Goroutines = float64(runtime.NumGoroutine()-goroutines) / per
	r.Heap = float64(heapInUse()-heap) / per
	if before > 0 {
		r.Resident = float64(resident()-before) / per
	}
	return r, nil
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// form starts all members, has them join through the first, and waits until all know all, or until the limit. It returns how long
// that took.
func form(cluster engine.Cluster, p *pairs, limit time.Duration) (time.Duration, error) {
	for i := range p.n {
		if err := cluster.Start(i); err != nil {
			return 0, fmt.Errorf("start member %d: %w", i, err)
		}
	}
	start := time.Now()
	var joins sync.WaitGroup
	for i := 1; i < p.n; i++ {
		joins.Go(func() {
			for cluster.Join(i, 0) != nil && time.Since(start) < limit {
				time.Sleep(time.Second)
			}
		})
	}
	select {
	case <-p.whole:
	case <-time.After(limit):
	}
	took := time.Since(start)
	joins.Wait()
	return took, nil
}

// pairs counts who lists whom.
type pairs struct {
	mu    sync.Mutex
	n     int
	lists []bool
	count int
	whole chan struct{} // closed when all have listed all for the first time
	once  sync.Once
}

func (p *pairs) sink(e engine.Event) {
	if e.Kind != engine.Alive && e.Kind != engine.Gone || e.Observer == e.Subject {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := &p.lists[e.Observer*p.n+e.Subject]
	switch alive := e.Kind == engine.Alive; {
	case alive && !*at:
		p.count++
	case !alive && *at:
		p.count--
	}
	*at = e.Kind == engine.Alive
	if p.count == p.n*(p.n-1) {
		p.once.Do(func() { close(p.whole) })
	}
}

func (p *pairs) known() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// cpuTime is what this process has used so far, in user and kernel.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are constant
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// heapInUse is what is reachable.
func heapInUse() int64 {
	debug.FreeOSMemory() // collects, too
	debug.FreeOSMemory() // what pools held on to
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// resident is the memory that the kernel holds for this process, 0 where it does not report it.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
