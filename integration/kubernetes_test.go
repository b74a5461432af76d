package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/kube"
	"github.com/goconvoke/convoke/strategy/kubernetes"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// The target is a second; the bound only catches what is broken. It runs alone, before the tests that run beside each other.
func TestANewEndpointIsKnownSoon(t *testing.T) {
	const runs, bound = 20, 5 * time.Second
	s := newShop(t, apiServer(t), kube.Service{})
	f := s.find(t, "selector: 'kubernetes.io/service-name=measured'")
	f.finds(knownWithin)
	s.Slice("orders-measured", "measured")
	f.findsMany(knownWithin, 0)
	var took []time.Duration
	for n := 1; n <= runs; n++ {
		s.Endpoints("orders-measured", n)
		written := time.Now()
		took = append(took, f.findsMany(knownWithin, n).At.Sub(written))
	}
	slices.Sort(took)
	median := took[runs/2]
	t.Logf("from the write of a slice to the answer: median %v, fastest %v, slowest %v of %d",
		median.Round(time.Millisecond), took[0].Round(time.Millisecond), took[runs-1].Round(time.Millisecond), runs)
	if median > bound {
		t.Errorf("the median is above %v", bound)
	}
}

func TestAHundredPodsAtOnceMakeAHandfulOfAnswers(t *testing.T) {
	const pods = 100
	s := newShop(t, apiServer(t), kube.Service{})
	f := s.find(t, "service: orders")
	f.finds(knownWithin)
	begin := time.Now()
	startMany(t, s, pods, func(i int) kube.Pod { return pod(fmt.Sprintf("orders-%d", i), i+1) })
	started := time.Since(begin)
	f.findsMany(knownWithin, pods)
	sets := 0
	for _, c := range f.Since(begin) {
		if c.Method == strategytest.Set {
			sets++
		}
	}
	t.Logf("%d pods started within %v made %d answers", pods, started.Round(time.Millisecond), sets)
	if most := 4 + int(started/(200*time.Millisecond)); sets > most { // a slow server's changes come one by one
		t.Errorf("%d answers, want at most %d", sets, most)
	}
}

// startMany starts pods, some at a time.
func startMany(t *testing.T, s *shop, count int, podOf func(i int) kube.Pod) {
	t.Helper()
	const atOnce = 8
	var wg sync.WaitGroup
	errs := make([]error, count)
	for w := range atOnce {
		wg.Go(func() {
			for i := w; i < count; i += atOnce {
				errs[i] = s.TryStart(podOf(i))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPodsComeBecomeReadyEndAndAreReplaced(t *testing.T) {
	t.Parallel()
	for source, what := range map[kubernetes.Source]string{
		kubernetes.EndpointSlices: "service: orders",
		kubernetes.Pods:           "source: pods, selector: app=orders",
	} {
		t.Run(string(source), func(t *testing.T) {
			t.Parallel()
			s := newLockedShop(t, apiServer(t), kube.Service{})
			c := kubernetes.DefaultConfig()
			c.Source = source
			s.grant(t, c)
			s.livesOfPods(t, s.find(t, what), s.find(t, what+", include: [ready]"))
		})
	}
}

// livesOfPods leads pods through their lives. all finds those that are not ready too.
func (s *shop) livesOfPods(t *testing.T, all, ready *finding) {
	t.Helper()
	all.finds(knownWithin)
	ready.finds(knownWithin)
	s.Start(kube.Pod{Name: "orders-0", Service: "orders"}) // no address yet
	a, b := pod("orders-1", 1), pod("orders-2", 2)
	s.Start(a)
	s.Start(b)
	all.finds(knownWithin, at(a), at(b))
	if c, _ := newest(ready.Calls()); len(c.Peers) > 0 {
		t.Errorf("pods that are not ready are peers: %v", c)
	}
	s.ready(t, &a, true)
	s.ready(t, &b, true)
	ready.finds(knownWithin, at(a), at(b))
	s.ready(t, &a, false) // its probe fails
	ready.finds(knownWithin, at(b))
	all.finds(knownWithin, at(a), at(b))

	s.Terminate("orders-2") // still there, and still with its address
	ready.finds(knownWithin)
	all.finds(knownWithin, at(a))
	s.Remove("orders-2")
	b = pod("orders-2", 3) // its name, another address
	s.Start(b)
	all.finds(knownWithin, at(a), at(b))
}

func TestAServiceOfManySlices(t *testing.T) {
	t.Parallel()
	const pods = 130
	s := newShop(t, apiServer(t), kube.Service{DualStack: true})
	v4, v6 := s.find(t, "service: orders, family: ipv4"), s.find(t, "service: orders, family: ipv6")
	address := func(i int) kube.Pod {
		return kube.Pod{Name: fmt.Sprintf("orders-%d", i), Service: "orders",
			IPs: []string{fmt.Sprintf("10.244.1.%d", i+1), fmt.Sprintf("fd00:244::%x", i+1)}}
	}
	startMany(t, s, pods, address)
	var want4, want6 []string
	for i := range pods {
		p := address(i)
		want4 = append(want4, fmt.Sprintf("%s@%s:7946", p.Name, p.IPs[0]))
		want6 = append(want6, fmt.Sprintf("%s@[%s]:7946", p.Name, p.IPs[1]))
	}
	v4.finds(knownWithin, want4...)
	v6.finds(knownWithin, want6...)
	var list struct {
		Items []struct{ AddressType string }
	}
	if err := s.server.Client().Read(s.Slices(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) < 4 {
		t.Errorf("%d slices, so this shows little", len(list.Items))
	}
}

func TestTwoNamespacesMakeOneAnswer(t *testing.T) {
	t.Parallel()
	s, other := newShop(t, apiServer(t), kube.Service{}), newShop(t, apiServer(t), kube.Service{})
	c := kubernetes.DefaultConfig()
	c.Namespaces = []string{other.Name}
	for _, g := range c.Grants("") { // for the account of the first
		other.Apply(g.Manifest("orders-of-others", "orders", s.Name))
	}
	s.Start(pod("orders-0", 1))
	other.Start(pod("orders-0", 2))
	f := s.find(t, fmt.Sprintf("service: orders, namespaces: [%s, %s]", s.Name, other.Name))
	f.finds(knownWithin, "orders-0."+s.Name+"@10.244.0.1:7946", "orders-0."+other.Name+"@10.244.0.2:7946")
}

func TestTheExamplesAreTakenByARealServer(t *testing.T) {
	t.Parallel()
	const examples = "../examples/kubernetes/*.yaml"
	files, err := filepath.Glob(examples)
	if err != nil || len(files) == 0 {
		t.Fatalf("no file is %s: %v", examples, err)
	}
	ns := apiServer(t).Client().NewNamespace(t)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(file)
		ns.Check(strings.ReplaceAll(string(text), "namespace: shop", "namespace: "+ns.Name))
	}
}

// The page for operators has manifests in its blocks without a language.
func TestTheManifestsOfThePageAreTakenByARealServer(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	ns := apiServer(t).Client().NewNamespace(t)
	checked := 0
	for block := range strings.SplitSeq(string(page), "\n```\n") {
		if strings.HasPrefix(block, "apiVersion: ") {
			ns.Check(strings.ReplaceAll(block, "namespace: shop", "namespace: "+ns.Name))
			checked++
		}
	}
	if checked == 0 {
		t.Error("the page has no manifest")
	}
}
