package agent_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/agent"
)

// instances are nodes behind one load balancer, which asks each for its readiness all the time.
type instances struct {
	mu    sync.Mutex
	nodes []*agent.Node // nil while one restarts
	asked int
	least int // of them that were ready at any moment
}

func (i *instances) set(n int, node *agent.Node) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.nodes[n] = node
}

// ask asks every instance once.
func (i *instances) ask() {
	i.mu.Lock()
	defer i.mu.Unlock()
	ready := 0
	for _, node := range i.nodes {
		if node == nil {
			continue
		}
		if code, _ := probeHandler(node, "/readyz"); code == http.StatusOK {
			ready++
		}
	}
	i.asked++
	i.least = min(i.least, ready)
}

// balance asks until the returned function is called.
func (i *instances) balance() (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				i.ask()
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

func TestARollingRestartTakesOneInstanceAtATimeOutOfService(t *testing.T) {
	t.Parallel()
	s, names := newSite(t), []string{"a", "b", "c"}
	all := &instances{nodes: make([]*agent.Node, len(names)), least: len(names)}
	for n, name := range names {
		all.nodes[n] = s.start(name, len(names))
	}
	formed(t, all.nodes...)
	stop := all.balance()
	for n, name := range names {
		restarting, next := all.nodes[n], all.nodes[(n+1)%len(names)]
		all.set(n, nil)
		restarting.Stop()
		sees(t, next, slices.Delete(slices.Clone(names), n, n+1)...)
		fresh := s.start(name, len(names))
		all.set(n, fresh)
		formed(t, fresh)
	}
	stop()
	if all.asked == 0 || all.least != len(names)-1 {
		t.Errorf("of %d instances %d were ready at the least, asked %d times; want that only the one that restarts is missing", len(names), all.least, all.asked)
	}
	if log := s.log.String(); log != "" {
		t.Errorf("an orderly restart is no reason for a warning, and the log has\n%s", log)
	}
}
