package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/kube"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// ask runs a strategy that asks a DNS server every second or so; more are its other settings in YAML.
func ask(t *testing.T, d *kube.DNS, strategy, more string) *finding {
	t.Helper()
	return find(t, strategy, fmt.Sprintf("{servers: ['%s'], interval: 1s, timeout: 3s, %s}", d.Addr, more))
}

// domainName returns the DNS name of the Service of a shop.
func (s *shop) domainName() string { return "orders." + s.Name + ".svc." + kube.Domain }

// asked is a strategy that asks, and how it names a pod.
type asked struct {
	f    *finding
	want func(p kube.Pod) string
}

// askForEverything asks for each kind of record of a shop with IPv4 and IPv6.
func (s *shop) askForEverything(t *testing.T, d *kube.DNS) []asked {
	t.Helper()
	name, service := s.domainName(), ", service: orders, namespace: "+s.Name+", domain: "+kube.Domain
	v4 := func(p kube.Pod) string { return "@" + p.IPs[0] + ":7946" }
	v6 := func(p kube.Pod) string { return "@[" + p.IPs[1] + "]:7946" }
	target := func(p kube.Pod) string { return p.Name + "." + name + v4(p) }
	return []asked{
		{ask(t, d, "dns", "family: ipv4, names: ['"+name+":7946']"), v4},
		{ask(t, d, "dns", "family: ipv6, names: ['"+name+":7946']"), v6},
		{ask(t, d, "dns", "family: ipv4, names: ['_gossip._tcp."+name+"']"), target},
		{ask(t, d, "kubernetes_dns", "port_name: gossip"+service), at},
		{ask(t, d, "kubernetes_dns", "family: ipv6, port: 7946"+service), v6},
	}
}

func TestRecordsOfAHeadlessServiceFollowThePods(t *testing.T) {
	t.Parallel()
	server := apiServer(t)
	d := kube.RunDNS(t, server, kube.DNSOptions{TTL: 1})
	s := newLockedShop(t, server, kube.Service{DualStack: true})
	twin := func(name string, n int) kube.Pod {
		return kube.Pod{Name: name, Service: "orders", Ready: true,
			IPs: []string{fmt.Sprintf("10.244.0.%d", n), fmt.Sprintf("fd00:244::%d", n)}}
	}
	a, b := twin("orders-0", 1), twin("orders-1", 2)
	s.Start(a)
	s.Start(b)
	kinds := s.askForEverything(t, d)
	follow := func(pods ...kube.Pod) {
		t.Helper()
		for _, k := range kinds {
			var want []string
			for _, p := range pods {
				want = append(want, k.want(p))
			}
			k.f.finds(knownWithin, want...)
		}
	}
	follow(a, b)
	c := twin("orders-2", 3)
	s.Start(c)
	follow(a, b, c)
	s.ready(t, &a, false)
	follow(b, c)
	s.Terminate("orders-1")
	follow(c)
	s.Remove("orders-1")
	b = twin("orders-1", 4) // its name, another address
	s.Start(b)
	follow(b, c)
}

// A Service without pods is a name that does not exist; servers remember that for a while.
func TestANameThatDoesNotExistYetIsAskedForAgain(t *testing.T) {
	t.Parallel()
	const remembered = 5 // seconds
	server := apiServer(t)
	d := kube.RunDNS(t, server, kube.DNSOptions{TTL: 1, NegativeTTL: remembered})
	s := newLockedShop(t, server, kube.Service{Unready: true})
	f := ask(t, d, "kubernetes_dns", "service: orders, port_name: gossip, namespace: "+s.Name+", domain: "+kube.Domain)
	f.until(knownWithin, "three answers", func(calls []strategytest.Call) bool { return len(calls) >= 3 })
	for _, c := range f.Calls() {
		if len(c.Peers) > 0 {
			t.Errorf("a peer came from nowhere: %v", c)
		}
	}
	a := pod("orders-0", 1)
	s.Start(a) // not ready, and yet published
	begin := time.Now()
	f.finds(knownWithin+remembered*time.Second, at(a))
	t.Logf("known %v after the start, where %d s of absence were remembered", time.Since(begin).Round(time.Millisecond), remembered)
}

func TestManyRecordsComeThroughTCP(t *testing.T) {
	t.Parallel()
	const pods = 150
	server := apiServer(t)
	d := kube.RunDNS(t, server, kube.DNSOptions{TTL: 1})
	s := newLockedShop(t, server, kube.Service{Unready: true})
	startMany(t, s, pods, func(i int) kube.Pod { return pod(fmt.Sprintf("orders-%d", i), i+1) })
	var addresses, targets []string
	for i := range pods {
		addresses = append(addresses, fmt.Sprintf("@10.244.0.%d:7946", i+1))
		targets = append(targets, fmt.Sprintf("orders-%d@10.244.0.%d:7946", i, i+1))
	}
	ask(t, d, "dns", "names: ['"+s.domainName()+":7946']").finds(knownWithin, addresses...)
	ask(t, d, "kubernetes_dns", "service: orders, port_name: gossip, namespace: "+s.Name+", domain: "+kube.Domain).finds(knownWithin, targets...)
}

func TestADNSServerThatIsGoneDropsNoPeer(t *testing.T) {
	t.Parallel()
	server := apiServer(t)
	options := kube.DNSOptions{TTL: 1}
	d := kube.RunDNS(t, server, options)
	s := newLockedShop(t, server, kube.Service{Unready: true})
	a := pod("orders-0", 1)
	s.Start(a)
	f := ask(t, d, "kubernetes_dns", "service: orders, port_name: gossip, namespace: "+s.Name+", domain: "+kube.Domain)
	f.finds(knownWithin, at(a))
	begin := time.Now()
	d.Kill()
	f.fails(knownWithin, begin)
	b := pod("orders-1", 2)
	s.Start(b)
	kube.RunDNS(t, server, options.At(t, d))
	f.finds(retriesWithin, at(a), at(b))
	f.neverFewer(begin, at(a))
}
