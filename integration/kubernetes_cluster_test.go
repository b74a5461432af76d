package integration

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/agent"
	"github.com/goconvoke/convoke/integration/kube"
	"github.com/goconvoke/convoke/integration/lab"
)

const (
	controlPlane = 1 // host of the API server and of CoreDNS
	podHosts     = 11

	rolloutWithin = 60 * time.Second // for a cluster to take in what came, and to let go of what is gone
)

// Pods are hosts, and the cluster of Kubernetes learns what happens to them.
func TestPodsOfAServiceAreOneCluster(t *testing.T) {
	t.Parallel()
	kube.Program(t, "KUBELAB")
	strategies := []string{"kubernetes", "kubernetes_dns"}
	l := lab.New(t, 1+podHosts*len(strategies)*len(connectors))
	in := func(ctx context.Context, program string, args ...string) *exec.Cmd {
		return l.Command(ctx, controlPlane, program, args...)
	}
	dial := l.Dial(controlPlane)
	server := kube.Run(t, kube.Options{Bind: l.IP(controlPlane), Port: 6443, Command: in, Dial: dial})
	dns := kube.RunDNS(t, server, kube.DNSOptions{Bind: l.IP(controlPlane), Port: 53, TTL: 5, NegativeTTL: 5, Command: in, Dial: dial})
	first := controlPlane + 1
	for _, connector := range connectors {
		for _, strategy := range strategies {
			host := first
			first += podHosts
			t.Run(connector+"/"+strategy, func(t *testing.T) {
				t.Parallel()
				d := newDeployment(t, l, host, server.Client().NewNamespace(t))
				config := fmt.Sprintf("{service: orders, api: '%s', service_account: %s}", server.Ready.URL, d.account(server))
				if strategy == "kubernetes_dns" {
					config = fmt.Sprintf("{service: orders, port_name: gossip, namespace: %s, resolv_conf: %s}",
						d.ns.Name, dns.ResolvConf(t, d.ns.Name))
				}
				d.spec = agent.Spec{Cluster: "orders-" + d.ns.Name, Strategy: strategy, Config: config, Connector: connector, Expect: 5}
				d.rollOut()
			})
		}
	}
}

// deployment is a number of pods with an agent each. What is asked for is done by it, not by a controller.
type deployment struct {
	t    *testing.T
	lab  *lab.Lab
	ns   *kube.Namespace
	spec agent.Spec
	host int                     // for the next pod
	pods map[string]*agent.Agent // the living ones
	all  []*life
}

// life is that of an agent.
type life struct {
	*agent.Agent
	end time.Time // when it was asked to end, or killed
}

func newDeployment(t *testing.T, l *lab.Lab, host int, ns *kube.Namespace) *deployment {
	return &deployment{t: t, lab: l, ns: ns, host: host, pods: make(map[string]*agent.Agent)}
}

// account makes the service account of the pods and returns the directory of its files.
func (d *deployment) account(server *kube.Server) string {
	d.ns.Account("orders")
	return server.ServiceAccountFiles(d.t, d.ns.Name, d.ns.Token("orders", "")).Dir
}

// rollOut applies what convoke manifest prints, starts five pods, loses one and replaces all.
func (d *deployment) rollOut() {
	sample := d.spec
	sample.Name, sample.Listen = "sample", "0.0.0.0:7946"
	for _, part := range []string{"access", "service"} {
		if part == "access" && d.spec.Strategy != "kubernetes" {
			continue
		}
		d.ns.Apply(agent.Output(d.t, sample, "manifest", "--namespace", d.ns.Name, "--app", "orders", "--service-account", "orders", "--only", part))
	}
	const size = 5
	begin := time.Now()
	for i := range size {
		d.start(fmt.Sprintf("orders-%d", i))
	}
	d.whole(formWithin)
	formed := time.Since(begin)

	d.crash("orders-2")
	begin = time.Now()
	d.start("orders-2") // its name, another address
	d.settles(5*time.Second, rolloutWithin)
	replaced := time.Since(begin)

	begin = time.Now()
	for i := range size {
		d.start(fmt.Sprintf("new-%d", i))
		d.whole(rolloutWithin)
		d.stop(fmt.Sprintf("orders-%d", i))
		d.whole(rolloutWithin)
	}
	d.t.Logf("formed within %v, a lost pod replaced and 5 s quiet within %v, all replaced within %v",
		formed.Round(time.Millisecond), replaced.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
	d.neverSplit(begin, size)
}

// start makes a pod, whose node starts when it has an address, and which is ready when that runs.
func (d *deployment) start(name string) {
	d.t.Helper()
	p := kube.Pod{Name: name, Service: "orders", IPs: []string{d.lab.IP(d.host)}}
	d.ns.Start(p)
	s := d.spec
	s.Name, s.Listen = name, "0.0.0.0:7946"
	d.pods[name] = agent.Start(d.t, d.lab, d.host, s)
	d.all = append(d.all, &life{Agent: d.pods[name]})
	d.host++
	p.Ready = true
	if err := d.ns.Update(p); err != nil {
		d.t.Fatal(err)
	}
}

// crash ends the node of a pod without an announcement, and removes the pod.
func (d *deployment) crash(name string) {
	d.t.Helper()
	d.ended(name)
	d.pods[name].Kill()
	d.ns.Remove(name)
	delete(d.pods, name)
}

// stop ends a pod as Kubernetes does: it is terminating, its node is asked to leave, it is removed.
func (d *deployment) stop(name string) {
	d.t.Helper()
	d.ended(name)
	d.ns.Terminate(name)
	if err := d.pods[name].Stop(); err != nil {
		d.t.Error(err)
	}
	d.ns.Remove(name)
	delete(d.pods, name)
}

func (d *deployment) ended(name string) {
	for _, l := range d.all {
		if l.Agent == d.pods[name] {
			l.end = time.Now()
		}
	}
}

// whole waits until every living node sees every other and no other.
func (d *deployment) whole(within time.Duration) {
	d.t.Helper()
	ctx, cancel := context.WithTimeoutCause(d.t.Context(), within, fmt.Errorf("not within %v", within))
	defer cancel()
	names := slices.Sorted(maps.Keys(d.pods))
	for _, name := range names {
		if err := d.pods[name].WaitMembers(ctx, names...); err != nil {
			d.t.Fatal(err)
		}
	}
}

// settles waits until every living node sees every other and has done so for the time quiet: who takes a node for
// its predecessor will miss it.
func (d *deployment) settles(quiet, within time.Duration) {
	d.t.Helper()
	deadline := time.Now().Add(within)
	for changed := true; changed; {
		d.whole(time.Until(deadline))
		since := time.Now()
		wait(d.t, quiet)
		changed = false
		for _, a := range d.pods {
			changed = changed || slices.ContainsFunc(a.Events(since), func(e agent.Event) bool { return e.Event == "members" })
		}
	}
}

// neverSplit fails the test when, since a moment, a node that was one of size saw fewer than all but one of them.
func (d *deployment) neverSplit(since time.Time, size int) {
	d.t.Helper()
	for _, l := range d.all {
		joined := false
		for _, e := range l.Events(since) {
			if e.Event != "members" || !l.end.IsZero() && e.At.After(l.end) {
				continue
			}
			if joined = joined || len(e.Members) >= size; joined && len(e.Members) < size-1 {
				d.t.Errorf("%s saw no more than %v, %v after the rollout began", l.Name, e.Members, e.At.Sub(since))
			}
		}
	}
}
