// Package integration runs the real agent on real networks: hosts are network namespaces, nodes are
// processes, packets are packets.
package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/agent"
	"github.com/goconvoke/convoke/integration/lab"
	"github.com/goconvoke/convoke/integration/quorumlab"
)

const (
	formWithin = time.Minute     // for a cluster to form, or to be whole again, on a busy machine
	lossWithin = 2 * time.Minute // for a loss to be noticed: memberlist on the smaller side of a partition has needed more than 30 s
)

// connectors that every scenario runs with.
var connectors = []string{"gossip", "memberlist", "serf"}

// wire is how the nodes of a scenario announce themselves and listen.
type wire struct {
	name, config string
	listen       func(l *lab.Lab, host int) string
}

func anyAddress(*lab.Lab, int) string      { return "0.0.0.0:7946" }
func anyAddress6(*lab.Lab, int) string     { return "[::]:7946" }
func address6(l *lab.Lab, host int) string { return "[" + l.IP6(host) + "]:7946" }

var (
	// ipv4 and ipv6 announce and talk in one family only.
	ipv4 = wire{"IPv4", `{interfaces: [eth0], ipv6_group: ""}`, anyAddress}
	ipv6 = wire{"IPv6", `{interfaces: [eth0], ipv4_group: ""}`, address6}
	// mixed announces on IPv6 alone, from hosts whose preferred address may be one of IPv4.
	mixed = wire{"IPv6Announcing", `{interfaces: [eth0], ipv4_group: ""}`, anyAddress6}
	// defaults is what a user gets who sets nothing.
	defaults = wire{"Defaults", "{}", anyAddress6}
)

func TestMain(m *testing.M) {
	code := lab.Main(m, map[string]lab.Probe{"flood": flood, "quorum": quorumlab.Run})
	agent.RemoveBinary()
	stopAPIServer()
	os.Exit(code)
}

// everyConnector runs a scenario with each connector, beside the other scenarios.
func everyConnector(t *testing.T, scenario func(t *testing.T, connector string)) {
	t.Parallel()
	for _, c := range connectors {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			scenario(t, c)
		})
	}
}

// everyWire is everyConnector with IPv4, with IPv6 and with more wires.
func everyWire(t *testing.T, scenario func(t *testing.T, connector string, w wire), more ...wire) {
	t.Parallel()
	for _, c := range connectors {
		for _, w := range append([]wire{ipv4, ipv6}, more...) {
			t.Run(c+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				scenario(t, c, w)
			})
		}
	}
}

// fleet is a number of agents that shall become one cluster.
type fleet struct {
	t      *testing.T
	lab    *lab.Lab
	wire   wire
	spec   agent.Spec     // of each, but for the name and where it listens
	agents []*agent.Agent // by host; nil where none runs
	disks  string         // where each node has a data directory; "": none keeps anything
}

// newFleet makes a fleet without nodes that finds its peers by multicast.
func newFleet(t *testing.T, l *lab.Lab, connector string, w wire) *fleet {
	return &fleet{t: t, lab: l, wire: w, agents: make([]*agent.Agent, l.Hosts()+1), spec: agent.Spec{
		Cluster: "lab", Strategy: "multicast", Config: w.config, Connector: connector, Expect: 2,
	}}
}

// formed starts a node in every host of a new lab and waits until they are one cluster.
func formed(t *testing.T, hosts int, connector string, w wire) *fleet {
	t.Helper()
	f := newFleet(t, lab.New(t, hosts), connector, w)
	f.spec.Expect = hosts
	f.start(to(hosts)...)
	f.whole(formWithin)
	return f
}

// start starts a node in each of the hosts; its name is that of the host: h1.
func (f *fleet) start(hosts ...int) {
	f.t.Helper()
	for _, i := range hosts {
		s := f.spec
		s.Name, s.Listen = name(i), f.wire.listen(f.lab, i)
		if f.disks != "" {
			s.DataDir = f.disk(i)
		}
		f.agents[i] = agent.Start(f.t, f.lab, i, s)
	}
}

// disk returns the data directory of the node in a host.
func (f *fleet) disk(host int) string { return filepath.Join(f.disks, name(host)) }

// running returns the hosts that have a living node.
func (f *fleet) running() []int {
	var hosts []int
	for i, a := range f.agents {
		if a != nil && a.Running() {
			hosts = append(hosts, i)
		}
	}
	return hosts
}

// whole waits until every living node sees every other.
func (f *fleet) whole(within time.Duration) {
	f.t.Helper()
	f.see(within, f.running())
}

// see waits until the nodes in hosts see exactly each other, all at one moment.
func (f *fleet) see(within time.Duration, hosts []int) {
	f.t.Helper()
	ctx, cancel := context.WithTimeoutCause(f.t.Context(), within, fmt.Errorf("not within %v", within))
	defer cancel()
	want := names(hosts)
	for together := false; !together; {
		for _, i := range hosts {
			if err := f.agents[i].WaitMembers(ctx, want...); err != nil {
				f.t.Fatal(err)
			}
		}
		together = true
		for _, i := range hosts { // the first may have changed while the last was waited for
			together = together && slices.Equal(f.agents[i].Members(), want)
		}
	}
}

// stays fails the test when a living node's member list changes, or a node ends, within d.
func (f *fleet) stays(d time.Duration) {
	f.t.Helper()
	since, hosts := time.Now(), f.running()
	wait(f.t, d)
	for _, i := range hosts {
		if !f.agents[i].Running() {
			f.t.Errorf("%s has ended", name(i))
		}
		for _, e := range f.agents[i].Events(since) {
			if e.Event == "members" {
				f.t.Errorf("%s saw a change after %v: %v", name(i), e.At.Sub(since), e.Members)
			}
		}
	}
}

// settles waits until every living node sees every other and has done so for the time quiet.
func (f *fleet) settles(quiet, within time.Duration) {
	f.t.Helper()
	deadline := time.Now().Add(within)
	for {
		f.whole(time.Until(deadline))
		since := time.Now()
		wait(f.t, quiet)
		if !f.changed(since) {
			return
		}
	}
}

// changed reports whether a living node's member list changed since a moment.
func (f *fleet) changed(since time.Time) bool {
	for _, i := range f.running() {
		for _, e := range f.agents[i].Events(since) {
			if e.Event == "members" {
				return true
			}
		}
	}
	return false
}

// wait lets time pass in the real processes; the test ending early ends it.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// to returns 1..n.
func to(n int) []int {
	hosts := make([]int, n)
	for i := range hosts {
		hosts[i] = i + 1
	}
	return hosts
}

func name(host int) string { return fmt.Sprintf("h%d", host) }

func names(hosts []int) []string {
	var all []string
	for _, i := range hosts {
		all = append(all, name(i))
	}
	slices.Sort(all)
	return all
}
