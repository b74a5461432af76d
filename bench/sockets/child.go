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

const (
	// formLimit is how long a cluster may take to form.
	formLimit = 3 * time.Minute
	// settle is how long it is left alone before it is measured.
	settle = 30 * time.Second
)

// Child measures one engine in this process, and writes the result as JSON.
func Child(args []string, out io.Writer) error {
	if len(args) != 4 {
		return fmt.Errorf("%s wants an engine, a number of members and a duration", childFlag)
	}
	factory, err := engine.Lookup(args[1])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[2])
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of members", args[2])
	}
	window, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	r, err := measure(factory, n, window)
	if err != nil {
		return err
	}
	r.Engine = args[1]
	return json.NewEncoder(out).Encode(r)
}

func measure(factory engine.Factory, n int, window time.Duration) (Result, error) {
	heap, before, goroutines := heapInUse(), resident(), runtime.NumGoroutine()
	p := &pairs{n: n, lists: make([]bool, n*n), whole: make(chan struct{})}
	cluster := factory(n, nil, p.sink)
	defer cluster.Close()
	formed, err := form(cluster, p)
	if err != nil {
		return Result{}, err
	}
	time.Sleep(settle)
	start, used := time.Now(), cpuTime()
	time.Sleep(window)
	used = cpuTime() - used
	elapsed, per := time.Since(start), float64(n)
	r := Result{
		Members: n, Formed: formed.Seconds(),
		CPU:        used.Seconds() * 1000 / elapsed.Seconds() / per,
		Goroutines: float64(runtime.NumGoroutine()-goroutines) / per,
		Heap:       float64(heapInUse()-heap) / per,
	}
	if before > 0 {
		r.Resident = float64(resident()-before) / per
	}
	return r, nil
}

// form starts all members, has them join through the first, and waits until all know all.
func form(cluster engine.Cluster, p *pairs) (time.Duration, error) {
	for i := range p.n {
		if err := cluster.Start(i); err != nil {
			return 0, fmt.Errorf("start member %d: %w", i, err)
		}
	}
	start := time.Now()
	var joins sync.WaitGroup
	defer joins.Wait()
	for i := 1; i < p.n; i++ {
		joins.Go(func() {
			for cluster.Join(i, 0) != nil && time.Since(start) < formLimit {
				time.Sleep(time.Second)
			}
		})
	}
	select {
	case <-p.whole:
		return time.Since(start), nil
	case <-time.After(formLimit):
		return 0, fmt.Errorf("%d of %d pairs after %v", p.known(), p.n*(p.n-1), formLimit)
	}
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
	if e.Kind == engine.Updated || e.Observer == e.Subject {
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

// resident is the memory that the kernel holds for this process, 0 where it does not tell.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
