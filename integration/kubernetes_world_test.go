package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/integration/kube"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/dns"
	"github.com/goconvoke/convoke/strategy/kubernetes"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// knownWithin is for a change in the cluster to reach a strategy that watches, on a busy machine.
const knownWithin = time.Minute

// shared is the API server of all tests that leave it alone; each has a namespace of its own.
var shared struct {
	once   sync.Once
	dir    string
	server *kube.Server
	err    error
}

// apiServer returns the shared API server.
func apiServer(t *testing.T) *kube.Server {
	t.Helper()
	program := kube.Program(t, "KUBELAB")
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "convoke-kubelab-"); shared.err != nil {
			return
		}
		begin := time.Now()
		shared.server, shared.err = kube.New(kube.Options{Program: program, Dir: shared.dir})
		t.Logf("the API server was ready after %v", time.Since(begin).Round(time.Millisecond))
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// stopAPIServer ends the shared API server, if any.
func stopAPIServer() {
	if shared.server != nil {
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "kubelab:", err)
		}
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
}

// shop is a namespace with the headless Service orders, and the files of a pod of it: its service account is
// called orders.
type shop struct {
	*kube.Namespace
	server *kube.Server
	files  *kube.Files
	proxy  *kube.Proxy // between the pod and the API server
}

// newShop makes a shop whose service account may find the peers in slices.
func newShop(t *testing.T, server *kube.Server, service kube.Service) *shop {
	t.Helper()
	s := newLockedShop(t, server, service)
	s.grant(t, kubernetes.DefaultConfig())
	return s
}

// newLockedShop makes a shop whose service account may do nothing.
func newLockedShop(t *testing.T, server *kube.Server, service kube.Service) *shop {
	t.Helper()
	ns := server.Client().NewNamespace(t)
	service.Name, service.Port = "orders", 7946
	ns.Service(service)
	ns.Account("orders")
	return &shop{Namespace: ns, server: server,
		files: server.ServiceAccountFiles(t, ns.Name, ns.Token("orders", "")),
		proxy: kube.NewProxy(t, server.Addr()),
	}
}

// grant applies the manifest that the strategy itself wants for a configuration.
func (s *shop) grant(t *testing.T, c kubernetes.Config) {
	t.Helper()
	for _, g := range c.Grants(s.Name) {
		s.Apply(g.Manifest(kubernetes.GrantName, "orders", s.Name))
	}
}

// pod makes a pod of the Service; the last byte of its address is n.
func pod(name string, n int) kube.Pod {
	return kube.Pod{Name: name, Service: "orders", IPs: []string{fmt.Sprintf("10.244.0.%d", n)}}
}

// ready changes whether a pod is ready.
func (s *shop) ready(t *testing.T, p *kube.Pod, yes bool) {
	t.Helper()
	p.Ready = yes
	if err := s.Update(*p); err != nil {
		t.Fatal(err)
	}
}

// at is a peer as tests write it.
func at(p kube.Pod) string { return p.Name + "@" + p.IPs[0] + ":7946" }

// find runs the strategy in a pod of the shop; more are further settings in YAML.
func (s *shop) find(t *testing.T, more string) *finding {
	t.Helper()
	return find(t, "kubernetes", fmt.Sprintf("{service_account: %s, api: 'https://%s', %s}", s.files.Dir, s.proxy.Addr(), more))
}

// finding is a strategy that runs, and what it reports.
type finding struct {
	strategytest.Sink
	t *testing.T
}

// find runs a strategy until the test ends.
func find(t *testing.T, name, config string) *finding {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(config), &doc); err != nil {
		t.Fatal(err)
	}
	kinds, err := strategy.NewRegistry(kubernetes.Kind, dns.Kind, dns.KubernetesKind)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kinds.Configure(name, doc.Content[0], strategy.Source{File: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	st, err := c.New(strategy.Env{Topology: "pods", Rand: rand.New(rand.NewPCG(rand.Uint64(), 0))})
	if err != nil {
		t.Fatal(err)
	}
	f := &finding{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- st.Run(ctx, &f.Sink) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; ctx.Err() == nil || err != nil && err != context.Canceled {
			t.Errorf("%s: Run = %v", name, err)
		}
		if t.Failed() {
			calls := f.Calls()
			for _, c := range calls[max(0, len(calls)-20):] {
				t.Logf("%s %s: %v", c.At.Format("15:04:05.000"), name, c)
			}
		}
	})
	return f
}

// namesOf returns the peers of a call as name@addr, sorted.
func namesOf(peers []peer.Peer) []string {
	all := make([]string, 0, len(peers))
	for _, p := range peers {
		all = append(all, p.ID+"@"+p.Addr)
	}
	slices.Sort(all)
	return all
}

// newest returns the last complete answer.
func newest(calls []strategytest.Call) (strategytest.Call, bool) {
	for _, c := range slices.Backward(calls) {
		if c.Method == strategytest.Set {
			return c, true
		}
	}
	return strategytest.Call{}, false
}

// finds waits until the newest complete answer names exactly these peers, and returns it.
func (f *finding) finds(within time.Duration, want ...string) strategytest.Call {
	f.t.Helper()
	slices.Sort(want)
	return f.until(within, fmt.Sprintf("a complete answer %v", want), func(calls []strategytest.Call) bool {
		c, ok := newest(calls)
		return ok && slices.Equal(namesOf(c.Peers), want)
	})
}

// findsMany waits until the newest complete answer names so many peers, and returns it.
func (f *finding) findsMany(within time.Duration, want int) strategytest.Call {
	f.t.Helper()
	return f.until(within, fmt.Sprintf("a complete answer of %d peers", want), func(calls []strategytest.Call) bool {
		c, ok := newest(calls)
		return ok && len(c.Peers) == want
	})
}

// fails waits until a failure after a moment is reported, and returns it.
func (f *finding) fails(within time.Duration, since time.Time) strategytest.Call {
	f.t.Helper()
	var failure strategytest.Call
	f.until(within, "a failure", func(calls []strategytest.Call) bool {
		i := slices.IndexFunc(calls, func(c strategytest.Call) bool { return c.Method == strategytest.Fail && !c.At.Before(since) })
		if i >= 0 {
			failure = calls[i]
		}
		return i >= 0
	})
	return failure
}

// until waits for a condition and returns the newest complete answer.
func (f *finding) until(within time.Duration, what string, cond func([]strategytest.Call) bool) strategytest.Call {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), within)
	defer cancel()
	calls, err := f.WaitFor(ctx, cond)
	if err != nil {
		last := "nothing"
		if len(calls) > 0 {
			last = calls[len(calls)-1].String()
		}
		f.t.Fatalf("not within %v: %s; last reported: %s", within, what, last)
	}
	c, _ := newest(calls)
	return c
}

// neverFewer fails the test when a complete answer since a moment lacks one of the peers.
func (f *finding) neverFewer(since time.Time, peers ...string) {
	f.t.Helper()
	for _, c := range f.Since(since) {
		if c.Method != strategytest.Set {
			continue
		}
		has := namesOf(c.Peers)
		for _, p := range peers {
			if !slices.Contains(has, p) {
				f.t.Errorf("%v after the beginning an answer dropped %s: %v", c.At.Sub(since), p, has)
			}
		}
	}
}
