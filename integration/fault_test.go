package integration

import (
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/lab"
)

// A membership core forgets a lost member in the end; only calling again, for ever, heals what
// was parted for longer.
func TestAPartitionLongerThanMemoryHeals(t *testing.T) {
	const forgotten = 45 * time.Second
	everyWire(t, func(t *testing.T, connector string, w wire) {
		f := formed(t, 5, connector, w)
		begin := time.Now()
		f.lab.Partition([]int{1, 2}, []int{3, 4, 5})
		f.see(lossWithin, []int{1, 2})
		f.see(lossWithin, []int{3, 4, 5})
		f.stays(max(5*time.Second, forgotten-time.Since(begin)))
		f.lab.Heal()
		healed := time.Now()
		f.whole(30 * time.Second)
		t.Logf("whole again %v after the heal", time.Since(healed).Round(time.Millisecond))
	})
}

func TestACablePulledAndPluggedInAgain(t *testing.T) {
	everyWire(t, func(t *testing.T, connector string, w wire) {
		f := formed(t, 3, connector, w)
		f.lab.Cable(3, false)
		f.see(lossWithin, []int{1, 2})
		f.see(lossWithin, []int{3})
		f.lab.Cable(3, true)
		f.settles(5*time.Second, formWithin)
	})
}

func TestANodeKilledComesBackUnderItsName(t *testing.T) {
	everyConnector(t, func(t *testing.T, connector string) {
		f := formed(t, 5, connector, ipv4)
		f.agents[2].Kill()
		f.whole(lossWithin) // the living four
		f.start(2)
		f.whole(formWithin)
		f.agents[3].Kill()
		f.start(3) // before any node noticed
		f.settles(5*time.Second, formWithin)
	})
}

func TestAFrozenNodeIsNotLost(t *testing.T) {
	everyConnector(t, func(t *testing.T, connector string) {
		f := formed(t, 5, connector, ipv4)
		if err := f.agents[4].Pause(); err != nil {
			t.Fatal(err)
		}
		wait(t, 5*time.Second)
		if err := f.agents[4].Resume(); err != nil {
			t.Fatal(err)
		}
		f.settles(10*time.Second, formWithin)
	})
}

// The gossip core loses no member. memberlist and serf may take one for dead for a moment, when its probes were among the lost packets: serf
// did so in one of fifty runs.
func TestEveryFifthPacketLostIsBorne(t *testing.T) {
	const quiet = 20 * time.Second
	everyConnector(t, func(t *testing.T, connector string) {
		l := lab.New(t, 5)
		for _, i := range to(5) {
			l.Loss(i, 20)
		}
		f := newFleet(t, l, connector, ipv4)
		f.spec.Expect = 5
		f.start(to(5)...)
		f.whole(formWithin)
		if connector == "gossip" {
			f.stays(quiet)
		} else {
			f.settles(quiet, formWithin+2*quiet)
		}
	})
}
