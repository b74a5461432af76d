package election

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goconvoke/convoke/bench/fabric"
)

// raftFaults measures the first leader, and commits after the leader was killed and, in a cluster of its own, after its host fell silent.
func raftFaults(voters int, divide time.Duration) (rows []Row, err error) {
	contender := "hashicorp/raft"
	if divide > 1 {
		contender += fmt.Sprintf(", timeouts ÷ %d", divide)
	}
	for _, m := range []struct {
		measure string
		fault   func(f *fabric.Fabric, i int)
	}{{leaderKilled, (*fabric.Fabric).Crash}, {leaderSilent, (*fabric.Fabric).Vanish}} {
		first, took, err := raftFault(voters, divide, m.fault)
		if err != nil {
			return rows, err
		}
		rows = append(rows, seconds(votersOf(m.measure, voters), contender, "", took))
		if voters == 3 {
			rows = append(rows, seconds(firstLeader, contender, "", first))
		}
	}
	return rows, nil
}

func votersOf(measure string, voters int) string {
	return fmt.Sprintf("%s, %d voters", measure, voters)
}

func raftFault(voters int, divide time.Duration, fault func(f *fabric.Fabric, i int)) (first, took time.Duration, err error) {
	f := fabric.New(voters, rand.Uint64())
	defer f.Close()
	begin := time.Now()
	c, err := newRaft(voters, divide, f, "")
	defer func() { f.Close(); err = errors.Join(err, c.close()) }()
	if err != nil {
		return 0, 0, err
	}
	if err := until("first leader", func() bool { return c.leader() >= 0 }); err != nil {
		return 0, 0, err
	}
	first = time.Since(begin)
	if err := c.commit(); err != nil {
		return first, 0, err
	}
	time.Sleep(5*time.Second + randomPart(time.Second))
	leader := c.leader()
	if leader < 0 {
		return first, 0, errors.New("no member leads before the fault")
	}
	begin = time.Now()
	fault(f, leader)
	c.ended[leader] = true
	err = c.commit()
	return first, time.Since(begin), err
}
