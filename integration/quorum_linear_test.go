package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/quorumlab"
)

const (
	processClusters = 2 // that make histories at the same time
	historiesOfEach = 6 // during one fault, each with its own keys, shards and clients
	historyNodes    = 4 // three of them voters
	historyLease    = time.Second
	clientsOfNode   = 2 // of each history
	clientsRun      = 300 * time.Millisecond
)

// Clients at all processes of a cluster call the map and read who holds shards, while a process is killed, stopped, cut off or receives nothing. One fault is
// in the middle of several histories at once; the next ones have other keys.
func TestHistoriesOfProcessesWithFaultsAreLinearizable(t *testing.T) {
	t.Parallel()
	var next atomic.Int64
	all := &figures{faults: map[string]int{}}
	t.Run("clusters", func(t *testing.T) {
		for i := range processClusters {
			t.Run(fmt.Sprint(i+1), func(t *testing.T) {
				q, names := newQuorum(t, historyNodes, quorumlab.Settings{Lease: historyLease})
				q.settled(names...)
				for round := i; ; round += processClusters {
					parts := nextParts(&next, names)
					if len(parts) == 0 || t.Failed() {
						return
					}
					q.histories(round, names, parts, all)
				}
			})
		}
	})
	all.report(t)
}

// nextParts returns what the clients of the next histories call, none when there are as many as asked for.
func nextParts(next *atomic.Int64, names []string) (parts []quorumlab.Part) {
	for i := range historiesOfEach {
		n := next.Add(1)
		if n > int64(*histories) {
			break
		}
		part := quorumlab.Part{Name: fmt.Sprintf("h%d.", n), Members: names}
		for shard := i; shard < quorumlab.Shards; shard += historiesOfEach {
			part.Shards = append(part.Shards, shard)
		}
		parts = append(parts, part)
	}
	return parts
}

// histories makes histories with one fault in their middle and checks them.
func (q *quorumRun) histories(round int, names []string, parts []quorumlab.Part, all *figures) {
	q.t.Helper()
	fault := processFaults[round%len(processFaults)]
	victim := q.leader(names...)
	if round%3 == 2 {
		victim = without(names, victim)[rand.IntN(len(names)-1)]
	}
	ctx, cancel := context.WithTimeout(q.t.Context(), 2*quorumlab.Within)
	end := q.clients(ctx, names, parts)
	defer func() {
		cancel()
		_ = end()
	}()
	wait(q.t, 100*time.Millisecond+rand.N(200*time.Millisecond))
	began := quorumlab.Now()
	fault.do(q, victim, names)
	q.leader(names...)
	over := q.write(victim, "after", "the fault") // TCP sends again what was lost after up to as long as the fault took
	wait(q.t, clientsRun)
	if err := end(); err != nil {
		q.t.Error(err)
	}
	spans := append(q.Spans(quorumlab.Exclusive), q.Spans(quorumlab.Fenced)...)
	for _, part := range parts {
		h := &recording{name: part.Name, fault: fault.name, faultAt: began, faultOver: over, calls: q.History(part.Name), spans: spans, leads: q.Leads()}
		if err := h.judge(all); err != nil {
			q.t.Errorf("%s with %s, %s: %v; its calls:\n%s", h.name, h.fault, victim, err, h)
		}
	}
}

// clients has clients at all nodes make calls until the returned function is called, which waits until the last call has ended. When the process of a node
// ends, the next one goes on.
func (q *quorumRun) clients(ctx context.Context, names []string, parts []quorumlab.Part) (end func() error) {
	var over atomic.Bool
	var wg sync.WaitGroup
	failed := make(chan error, 1)
	for _, name := range names {
		places := make(chan struct{}, 2) // the next clients do not wait for calls of the last ones that take long
		wg.Go(func() {
			for run := 0; !over.Load(); run++ {
				places <- struct{}{}
				wg.Go(func() {
					err := q.Clients(ctx, name, quorumlab.Clients{Parts: parts, Each: clientsOfNode, For: clientsRun, Run: run})
					if err != nil && !errors.Is(err, quorumlab.ErrEnded) {
						select {
						case failed <- err:
						default:
						}
					}
					<-places
				})
				time.Sleep(clientsRun)
			}
		})
	}
	return sync.OnceValue(func() error {
		over.Store(true)
		wg.Wait()
		close(failed)
		return <-failed
	})
}

// leader waits until these nodes have sessions at one leader.
func (q *quorumRun) leader(names ...string) (leader string) {
	q.t.Helper()
	q.await("a leader", func(ctx context.Context) (lacks string) {
		leader, lacks = q.commonLeader(ctx, names)
		return lacks
	})
	return leader
}
