package election

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goconvoke/convoke/bench/scenario"
	"github.com/goconvoke/convoke/quorum"
)

// onDisk runs three voters on sockets and one disk.
func onDisk(measure func(c *convokeCluster) error) (err error) {
	dir, err := os.MkdirTemp("", "convoke")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c := newConvoke(nil, 3, 3)
	c.dir = dir
	defer c.close()
	if err := errors.Join(c.start(3), c.startQuorums(), c.formed()); err != nil {
		return err
	}
	return measure(c)
}

// convokeRates measures commits at the leader: each write makes a key, without the read of a Set that does not name an index.
func convokeRates() (rows []Row, err error) {
	err = onDisk(func(c *convokeCluster) error {
		m := c.quorums[c.leader()].Map()
		var key atomic.Int64
		rows, err = rates(convoke, "500 /s", func() error {
			ctx, cancel := bounded()
			defer cancel()
			_, err := m.Set(ctx, fmt.Sprint("key", key.Add(1)), "value", quorum.IfIndex(0))
			return err
		})
		return err
	})
	return rows, err
}

// grantShards is the largest group.
const grantShards = 65_536

// convokeGrants measures how fast all shards of the largest group are granted, from the first call to the last.
func convokeGrants() (rows []Row, err error) {
	err = onDisk(func(c *convokeCluster) error {
		if err := c.work("grants", quorum.Settings{Count: grantShards}); err != nil {
			return err
		}
		if err := until("the first grant", func() bool { return c.holds.begunCalls() > 0 }); err != nil {
			return err
		}
		begin, first := time.Now(), c.holds.begunCalls()
		if err := c.holds.awaitBegun(grantShards); err != nil {
			return err
		}
		rows = []Row{{Measure: "grants in batches, 3 voters on one disk, until the calls began", Contender: convoke, Goal: "50,000 /s", Unit: scenario.PerSecond, Real: true,
			Samples: []float64{float64(grantShards-first) / time.Since(begin).Seconds()}}}
		return nil
	})
	return rows, err
}

// raftRates measures commits on a disk and real sockets.
func raftRates() (rows []Row, err error) {
	dir, err := os.MkdirTemp("", "raft")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := newRaft(3, 1, nil, dir)
	defer func() { err = errors.Join(err, c.close()) }()
	if err == nil {
		err = c.commit()
	}
	if err != nil {
		return nil, err
	}
	leader := c.nodes[c.leader()]
	write := func() error { return leader.Apply([]byte("value"), within).Error() }
	return rates("hashicorp/raft with raft-boltdb", "", write)
}

// rateFor is how long commits are counted.
const rateFor = 3 * time.Second

// rates measures how many writes a second succeed, one after the other and of 64 writers.
func rates(contender, goal string, write func() error) (rows []Row, err error) {
	for _, m := range []struct {
		measure string
		writers int
		goal    string
	}{{singleWrites, 1, goal}, {manyWrites, 64, ""}} {
		n, took, err := rate(m.writers, write)
		if err != nil {
			return rows, err
		}
		rows = append(rows, Row{Measure: m.measure, Contender: contender, Goal: m.goal, Unit: scenario.PerSecond, Real: true,
			Samples: []float64{float64(n) / took.Seconds()}})
	}
	return rows, nil
}

func rate(writers int, write func() error) (n int, took time.Duration, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	begin := time.Now()
	for range writers {
		wg.Go(func() {
			for time.Since(begin) < rateFor {
				failed := write()
				mu.Lock()
				n++
				err = errors.Join(err, failed)
				stop := err != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	return n, time.Since(begin), err
}
