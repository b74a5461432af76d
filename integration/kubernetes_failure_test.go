package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/kube"
	"github.com/goconvoke/convoke/strategy/kubernetes"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// retriesWithin is for a strategy to try again after a row of failures: it waits up to 45 s. On a busy machine the server needs a minute
// to start, and longer until all that it serves is up to date.
const retriesWithin = 3 * time.Minute

func TestRefusedThenAllowedWithoutARestart(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{"Watch": "", "Poll": ", watch: false, interval: 1s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newLockedShop(t, apiServer(t), kube.Service{})
			a := pod("orders-0", 1)
			s.Start(a)
			f := s.find(t, "service: orders"+more)
			failure := f.fails(knownWithin, time.Time{})
			if want := "allow service account " + s.Name + "/orders to list"; !strings.Contains(failure.Err.Error(), want) {
				t.Errorf("the failure is %q, want %q in it", failure.Err, want)
			}
			s.grant(t, kubernetes.DefaultConfig())
			f.finds(knownWithin, at(a))

			s.Revoke(kubernetes.GrantName)
			begin := time.Now()
			s.proxy.Cut() // a watch that is open stays allowed
			f.fails(knownWithin, begin)
			f.neverFewer(begin, at(a))
			s.grant(t, kubernetes.DefaultConfig())
			b := pod("orders-1", 2)
			s.Start(b)
			f.finds(retriesWithin, at(a), at(b))
		})
	}
}

// A token bound to a pod ends with the pod; the API server remembers for some seconds that it was good.
func TestATokenReplacedOnDiskIsUsed(t *testing.T) {
	t.Parallel()
	s := newShop(t, apiServer(t), kube.Service{})
	a := pod("orders-0", 1)
	s.Start(a)
	s.Start(pod("holder", 9))
	s.files.SetToken(t, s.Token("orders", "holder"))
	f := s.find(t, "service: orders, include: [ready]")
	f.finds(knownWithin)
	s.Remove("holder")
	var begin time.Time
	deadline := time.Now().Add(retriesWithin)
	for refused := false; !refused; {
		if time.Now().After(deadline) {
			t.Fatal("the token of a pod that is gone is still accepted")
		}
		begin = time.Now()
		s.proxy.Cut()
		wait(t, 3*time.Second)
		for _, c := range f.Since(begin) {
			refused = refused || c.Method == strategytest.Fail && strings.Contains(c.Err.Error(), "is not accepted")
		}
	}
	s.files.SetToken(t, s.Token("orders", ""))
	s.ready(t, &a, true)
	f.finds(retriesWithin, at(a))
}

func TestAnAPIServerThatIsGoneDropsNoPeer(t *testing.T) {
	t.Parallel()
	const gone = time.Minute
	server := kube.Run(t, kube.Options{})
	s := newShop(t, server, kube.Service{})
	a, b := pod("orders-0", 1), pod("orders-1", 2)
	s.Start(a)
	s.Start(b)
	watching, polling := s.find(t, "service: orders"), s.find(t, "service: orders, watch: false, interval: 2s")
	watching.finds(knownWithin, at(a), at(b))
	polling.finds(knownWithin, at(a), at(b))

	server.Kill()
	begin := time.Now()
	wait(t, gone)
	for _, f := range []*finding{watching, polling} {
		f.fails(knownWithin, begin)
		f.neverFewer(begin, at(a), at(b))
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	c := pod("orders-2", 3)
	s.Start(c)
	polling.finds(retriesWithin, at(a), at(b), at(c))
	took := time.Since(back)
	watching.finds(retriesWithin, at(a), at(b), at(c))
	t.Logf("after %v without it, all is known %v (polling) and %v (watching) after the server is ready",
		gone, took.Round(time.Millisecond), time.Since(back).Round(time.Millisecond))
	for _, f := range []*finding{watching, polling} {
		f.neverFewer(begin, at(a), at(b))
	}
}

// The version that a watch ended at is older than all that the server knows: it answers 410.
func TestAForgottenVersionIsListedAgain(t *testing.T) {
	t.Parallel()
	server := kube.Run(t, kube.Options{})
	s := newShop(t, server, kube.Service{})
	a := pod("orders-0", 1)
	s.Start(a)
	f := s.find(t, "service: orders")
	f.finds(knownWithin, at(a))
	version := s.Version()
	begin := time.Now()
	s.proxy.Swallow() // so that the strategy knows nothing of the restart
	b := pod("orders-1", 2)
	s.Start(b)
	s.Crowd(50)
	if err := server.Compact(); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	switch code, err := server.Client().WatchFrom(s.Slices(), version); {
	case err != nil:
		t.Fatal(err)
	case code != 410:
		t.Fatalf("a watch from version %s is answered with %d, so this shows little", version, code)
	}
	if s.proxy.Swallowed() == 0 {
		t.Error("the silent connection carried nothing, so this shows little")
	}
	s.proxy.Cut()
	f.finds(retriesWithin, at(a), at(b))
	f.neverFewer(begin, at(a))
}

// No host closes the connection and no packet comes back: only asking for a sign of life shows that.
func TestASilentWatchIsFoundOut(t *testing.T) {
	t.Parallel()
	const foundOut = 45 * time.Second // 30 s of silence, 15 s for the answer to a ping
	s := newShop(t, apiServer(t), kube.Service{})
	a := pod("orders-0", 1)
	s.Start(a)
	f := s.find(t, "service: orders")
	f.finds(knownWithin, at(a))
	begin := time.Now()
	s.proxy.Swallow()
	b := pod("orders-1", 2)
	s.Start(b)
	f.finds(foundOut+knownWithin, at(a), at(b))
	t.Logf("the new pod is known after %v", time.Since(begin).Round(time.Millisecond))
	f.neverFewer(begin, at(a))
	if s.proxy.Swallowed() == 0 {
		t.Error("the silent connection carried nothing, so this shows little")
	}
}
