package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/integration/lab"
)

func TestFiveHostsFormOneCluster(t *testing.T) {
	everyWire(t, func(t *testing.T, connector string, w wire) {
		f := formed(t, 5, connector, w)
		for _, i := range f.running() {
			if err := f.agents[i].Stop(); err != nil {
				t.Error(err)
			}
			f.whole(lossWithin) // a node that leaves is gone for the others at once
		}
	}, mixed, defaults)
}

func TestHostsWithoutIPv4FormOneCluster(t *testing.T) {
	everyConnector(t, func(t *testing.T, connector string) {
		f := newFleet(t, lab.NewIPv6Only(t, 3), connector, defaults)
		f.start(to(3)...)
		f.whole(formWithin)
	})
}

// The target is 2 s; the bound only catches what is broken, on any machine.
func TestTimeToForm(t *testing.T) {
	const runs, bound = 10, 10 * time.Second
	for _, connector := range connectors { // not beside other tests: they would slow it down
		t.Run(connector, func(t *testing.T) {
			l := lab.New(t, 5)
			var took []time.Duration
			for run := range 1 + runs {
				f := newFleet(t, l, connector, ipv4)
				f.spec.Expect = 5
				begin := time.Now()
				f.start(to(5)...)
				f.whole(formWithin)
				if run > 0 { // the first one may have built the program
					took = append(took, time.Since(begin))
				}
				for _, i := range f.running() {
					f.agents[i].Kill()
				}
			}
			slices.Sort(took)
			median := took[runs/2]
			t.Logf("time to form: median %v, fastest %v, slowest %v of %d runs of 5 nodes, %s",
				median.Round(time.Millisecond), took[0].Round(time.Millisecond), took[runs-1].Round(time.Millisecond), runs, connector)
			if median > bound {
				t.Errorf("the median is above %v", bound)
			}
		})
	}
}

// The process is up before the network, as it may be after a boot. The bound includes the start of the connection, and only the fastest
// time counts: a node that waits for its next announcement, or for the end of a backoff, does so each time, and a busy machine does not.
func TestANodeWhoseNetworkComesUpAfterItsStartJoinsAtOnce(t *testing.T) {
	const joinWithin, tries = 1500 * time.Millisecond, 5
	for _, w := range []wire{{"Defaults", "{}", anyAddress}, {"IPv4", `{ipv6_group: ""}`, anyAddress}} { // not beside other tests: they would slow it down
		t.Run(w.name, func(t *testing.T) {
			for range tries {
				took := joinAfterTheLink(t, w)
				t.Logf("joined %v after the link came up", took.Round(time.Millisecond))
				if took <= joinWithin {
					return
				}
			}
			t.Errorf("joined later than %v after the link came up, %d times of %d", joinWithin, tries, tries)
		})
	}
}

// joinAfterTheLink starts two nodes, one without a network, and returns how long after its network came up they are one cluster.
func joinAfterTheLink(t *testing.T, w wire) time.Duration {
	l := lab.New(t, 2)
	f := newFleet(t, l, "gossip", w)
	l.Cable(2, false)
	f.start(1, 2)
	f.see(formWithin, []int{1})
	f.see(formWithin, []int{2})
	wait(t, 3*time.Second)
	begin := time.Now()
	l.Cable(2, true)
	f.whole(formWithin)
	return time.Since(begin)
}

func TestAHostsFileEditedAtRunTimeBringsANodeIn(t *testing.T) {
	everyConnector(t, func(t *testing.T, connector string) {
		l := lab.New(t, 3)
		hosts := filepath.Join(t.TempDir(), "hosts")
		write := func(lines ...string) {
			t.Helper()
			if err := os.WriteFile(hosts, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write(l.IP(1)+":7946", l.IP(2)+":7946")
		f := newFleet(t, l, connector, ipv4)
		f.spec.Strategy, f.spec.Config = "hostsfile", "{path: "+hosts+"}"
		f.start(1, 2)
		f.whole(formWithin)

		alone := newFleet(t, l, connector, ipv4) // knows itself: only the others can call it
		alone.spec.Strategy, alone.spec.Config = "static", "{hosts: ["+l.IP(3)+":7946]}"
		alone.spec.Expect = 1
		alone.start(3)
		f.agents[3] = alone.agents[3]
		f.see(formWithin, []int{3})
		write(l.IP(1)+":7946", l.IP(2)+":7946", l.IP(3)+":7946")
		f.whole(formWithin)
	})
}

func TestTwoClustersOnOneWireNeverMix(t *testing.T) {
	everyWire(t, func(t *testing.T, connector string, w wire) {
		l := lab.New(t, 6)
		red, blue := newFleet(t, l, connector, w), newFleet(t, l, connector, w)
		red.spec.Cluster, blue.spec.Cluster = "red", "blue"
		red.start(1, 3, 5)
		blue.start(2, 4, 6)
		red.whole(formWithin)
		blue.whole(formWithin)
		wait(t, 15*time.Second) // a few rounds of announcements
		for _, f := range []*fleet{red, blue} {
			for _, i := range f.running() {
				if diff := cmp.Diff(names(f.running()), f.agents[i].EverSeen()); diff != "" {
					t.Errorf("%s of %s ever saw (-want +got):\n%s", name(i), f.spec.Cluster, diff)
				}
			}
			f.whole(formWithin)
		}
	})
}
