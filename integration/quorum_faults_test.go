package integration

import (
	"math/rand/v2"
	"syscall"
	"time"
)

// processFaults are what happens to a node, or to all, in the middle of histories. A fault is over when its function returns.
var processFaults = []struct {
	name string
	do   func(q *quorumRun, victim string, all []string)
}{
	{"a process that is killed and starts again", func(q *quorumRun, victim string, _ []string) {
		q.Kill(victim)
		wait(q.t, rand.N(time.Second))
		q.Restart(victim)
	}},
	{"a process that is stopped for a while", func(q *quorumRun, victim string, _ []string) { q.stop(victim) }},
	{"a host whose cable is pulled for a while", func(q *quorumRun, victim string, _ []string) {
		q.Lab.Cable(hostOf(q.t, victim), false)
		wait(q.t, faultTime())
		q.Lab.Cable(hostOf(q.t, victim), true)
	}},
	{"all processes killed at once", func(q *quorumRun, _ string, all []string) {
		q.Kill(all...)
		q.Restart(all...)
	}},
	{"a host that receives nothing for a while", func(q *quorumRun, victim string, _ []string) {
		q.Lab.Nft(hostOf(q.t, victim), "table inet oneway {\n chain in {\n type filter hook input priority 0\n iifname \"eth0\" drop\n }\n}\n")
		wait(q.t, faultTime())
		q.Lab.Nft(hostOf(q.t, victim), "delete table inet oneway\n")
	}},
	{"a split in two halves", func(q *quorumRun, victim string, all []string) {
		with := []string{victim, without(all, victim)[rand.IntN(len(all)-1)]}
		q.Lab.Partition(q.hosts(with), q.hosts(without(all, with...)))
		wait(q.t, faultTime())
		q.Lab.Heal()
	}},
	{"a process that is stopped and one that is killed", func(q *quorumRun, victim string, all []string) {
		other := without(all, victim)[rand.IntN(len(all)-1)]
		q.Kill(other)
		q.stop(victim)
		q.Restart(other)
	}},
}

// stop stops a process for a while.
func (q *quorumRun) stop(name string) {
	q.t.Helper()
	q.Signal(name, syscall.SIGSTOP)
	wait(q.t, faultTime())
	q.Signal(name, syscall.SIGCONT)
}

// faultTime is shorter or longer than a lease, and than the time after which a silent leader is replaced.
func faultTime() time.Duration { return 200*time.Millisecond + rand.N(2*time.Second) }
