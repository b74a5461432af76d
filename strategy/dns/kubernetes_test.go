package dns

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/dnstest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// pod is a pod in a namespace, with the files and variables that Kubernetes gives it.
type pod struct {
	dir string
	log strings.Builder
}

func newPod(t *testing.T, namespace, search string) *pod {
	t.Helper()
	p := &pod{dir: t.TempDir()}
	text := "nameserver 192.0.2.53\noptions ndots:5\n"
	if search != "" {
		text += "search " + search + "\n"
	}
	for name, text := range map[string]string{"resolv.conf": text, "namespace": namespace} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// runs runs a configuration in the pod until the test ends.
func (p *pod) runs(t *testing.T, s *dnstest.Server, change func(*KubernetesConfig)) *strategytest.Sink {
	t.Helper()
	c := DefaultKubernetesConfig()
	c.Service, c.PortName, c.ResolvConf, c.ServiceAccount = "orders", "gossip", filepath.Join(p.dir, "resolv.conf"), p.dir
	if change != nil {
		change(&c)
	}
	env := strategy.Env{Dial: s.Dial, Log: hclog.New(&hclog.LoggerOptions{Output: &p.log, Level: hclog.Info})}
	return start(t, strategytest.New(t, KubernetesKind, c, env))
}

const shopSearch = "shop.svc.cluster.local svc.cluster.local cluster.local"

func TestPodsOfAServiceByTheirPortName(t *testing.T) {
	p := newPod(t, "shop\n", shopSearch)
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Records(podRecords([]peer.Peer{{Addr: "10.0.0.1:7946"}, {Addr: "10.0.0.2:7946"}})...)
		sink := p.runs(t, s, nil)
		after(sink, 3*time.Second)
		want := []peer.Peer{
			{Addr: "10.0.0.1:7946", ID: "orders-1", Attrs: "priority=0,weight=33"},
			{Addr: "10.0.0.2:7946", ID: "orders-2", Attrs: "priority=0,weight=33"},
		}
		if diff := cmp.Diff(want, sink.Calls()[0].Peers); diff != "" {
			t.Errorf("peers (-want +got):\n%s", diff)
		}
		if asked := s.Asked()[0]; asked != "udp _gossip._tcp.orders.shop.svc.cluster.local. SRV" {
			t.Errorf("asked %q", asked)
		}
	})
}

func TestPodsOfADeploymentHaveNoNames(t *testing.T) {
	four := []string{srvRecord("10-0-0-1", "7946"), "10-0-0-1.orders.shop.svc.cluster.local. 5 A 10.0.0.1"}
	six := []string{srvRecord("fd00--7", "7946"), "fd00--7.orders.shop.svc.cluster.local. 5 AAAA fd00::7",
		srvRecord("fd00--0", "7946"), "fd00--0.orders.shop.svc.cluster.local. 5 AAAA fd00::"}
	for name, tc := range map[string]struct {
		records []string
		podIP   string
		want    string
	}{
		"IPv4": {four, "", "10.0.0.1:7946"},
		"IPv6": {six, "", "[fd00::7]:7946 [fd00::]:7946"},
		"both, which are two addresses of one pod":   {slices.Concat(four, six), "", "10.0.0.1:7946"},
		"both, where the own address is one of IPv6": {slices.Concat(four, six), "fd00::9", "[fd00::7]:7946 [fd00::]:7946"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPod(t, "shop", shopSearch)
			t.Setenv("POD_IP", tc.podIP)
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				s.Records(tc.records...)
				sink := p.runs(t, s, nil)
				if got := after(sink, 3*time.Second); got != "Set("+tc.want+")" {
					t.Errorf("received %s, want %s", got, tc.want)
				}
				for _, p := range sink.Calls()[0].Peers {
					if p.ID != "" || p.Attrs != "priority=0,weight=33" {
						t.Errorf("peer %+v, want no ID: the name is the address", p)
					}
				}
			})
		})
	}
}

func TestPodsWithTwoFamiliesAreOnePeerEach(t *testing.T) {
	for name, tc := range map[string]struct {
		portName, podIP string
		family          Family
		want            string
	}{
		"SRV":                    {"gossip", "", SameFamily, "Set(10.0.0.1:7946)"},
		"SRV, IPv6":              {"gossip", "fd00::9", SameFamily, "Set([fd00::1]:7946)"},
		"SRV, only IPv6":         {"gossip", "", IPv6, "Set([fd00::1]:7946)"},
		"addresses":              {"", "10.0.0.9", SameFamily, "Set(10.0.0.1:7946)"},
		"addresses, IPv6":        {"", "fd00::9", SameFamily, "Set([fd00::1]:7946)"},
		"addresses, only IPv4":   {"", "fd00::9", IPv4, "Set(10.0.0.1:7946)"},
		"addresses, IPv6 silent": {"", "", "fails", "Add(10.0.0.1:7946) Fail"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPod(t, "shop", shopSearch)
			t.Setenv("POD_IP", tc.podIP)
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				s.Records(srvRecord("orders-1", "7946"),
					"orders-1.orders.shop.svc.cluster.local. 5 A 10.0.0.1", "orders-1.orders.shop.svc.cluster.local. 5 AAAA fd00::1",
					"orders.shop.svc.cluster.local. 5 A 10.0.0.1", "orders.shop.svc.cluster.local. 5 AAAA fd00::1")
				if tc.family == "fails" {
					tc.family = SameFamily
					s.Fault("", "AAAA", dnstest.Drop)
				}
				sink := p.runs(t, s, func(c *KubernetesConfig) {
					c.PortName, c.Family = tc.portName, tc.family
					if c.PortName == "" {
						c.Port = 7946
					}
				})
				if got := after(sink, 20*time.Second); got != tc.want {
					t.Errorf("received %s, want %s", got, tc.want)
				}
			})
		})
	}
}

func TestTheNameOfAServiceIsFoundOut(t *testing.T) {
	for name, tc := range map[string]struct {
		namespace, search string // of the pod
		env               map[string]string
		change            func(*KubernetesConfig)
		want              string
	}{
		"by the pod's files":           {"shop", shopSearch, nil, nil, "orders.shop.svc.cluster.local."},
		"in a cluster of another name": {"shop", "shop.svc.k8s.example.com svc.k8s.example.com", nil, nil, "orders.shop.svc.k8s.example.com."},
		"CLUSTER_DOMAIN before that":   {"shop", shopSearch, map[string]string{"CLUSTER_DOMAIN": "a.test."}, nil, "orders.shop.svc.a.test."},
		"the setting before all": {"shop", shopSearch, map[string]string{"CLUSTER_DOMAIN": "a.test"},
			func(c *KubernetesConfig) { c.Domain = "B.test." }, "orders.shop.svc.b.test."},
		"no search names":          {"shop", "corp.test", nil, nil, "orders.shop.svc.cluster.local."},
		"POD_NAMESPACE":            {"", shopSearch, map[string]string{"POD_NAMESPACE": "quay"}, nil, "orders.quay.svc.cluster.local."},
		"the file before it":       {"shop", shopSearch, map[string]string{"POD_NAMESPACE": "quay"}, nil, "orders.shop.svc.cluster.local."},
		"the setting before both":  {"shop", shopSearch, nil, func(c *KubernetesConfig) { c.Namespace = "port" }, "orders.port.svc.cluster.local."},
		"UDP":                      {"shop", shopSearch, nil, func(c *KubernetesConfig) { c.PortName, c.Protocol = "g", "udp" }, "_g._udp.orders.shop.svc.cluster.local."},
		"servers of one's own too": {"shop", shopSearch, nil, func(c *KubernetesConfig) { c.Servers = []string{"192.0.2.53:53"} }, "orders.shop.svc.cluster.local."},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPod(t, tc.namespace, tc.search)
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				sink := p.runs(t, s, func(c *KubernetesConfig) {
					c.PortName, c.Port = "", 7946
					if tc.change != nil {
						tc.change(c)
					}
					if c.PortName != "" {
						c.Port = 0
					}
				})
				after(sink, time.Millisecond)
				if got := strings.Fields(s.Asked()[0])[1]; got != tc.want {
					t.Errorf("asked for %q, want %q", got, tc.want)
				}
			})
			if guessed := strings.Contains(p.log.String(), "guessed"); guessed != (name == "no search names") {
				t.Errorf("a warning about a guess: %v", guessed)
			}
		})
	}
}

func TestWhatCannotBeFoundOutIsAFailureThatNamesTheSetting(t *testing.T) {
	for _, tc := range []struct{ namespace, domain, want string }{
		{"", "", "set namespace, or POD_NAMESPACE from the downward API"},
		{"a b", "", `own namespace: "a b" is not a valid namespace name; set namespace`},
		{"shop", "a..b", `domain "a..b" of the cluster: the name has an empty part between its dots; correct CLUSTER_DOMAIN, or set domain`},
	} {
		p := newPod(t, tc.namespace, shopSearch)
		t.Setenv("CLUSTER_DOMAIN", tc.domain)
		want := tc.want
		bubble(t, func(t *testing.T, s *dnstest.Server) {
			sink := p.runs(t, s, nil)
			after(sink, time.Minute)
			for _, c := range sink.Calls() {
				if c.Method != strategytest.Fail || !strings.Contains(c.Err.Error(), want) {
					t.Errorf("received %v, want Fail with %q", c, want)
				}
			}
		})
	}
}

// Pods come into the DNS one by one; until then the name does not exist, and that is not an error.
func TestColdStart(t *testing.T) {
	p := newPod(t, "shop", shopSearch)
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Records()
		sink := p.runs(t, s, nil)
		if got := after(sink, 20*time.Second); got != "Set()" {
			t.Errorf("received %s, want Set()", got)
		}
		if n := len(sink.Calls()); n < 15 {
			t.Errorf("%d lookups in 20s, want one each second", n)
		}
		if p.log.Len() > 0 {
			t.Errorf("logged %s", &p.log)
		}
		after(sink, 20*time.Second)
		if n := strings.Count(p.log.String(), "no pods in dns"); n != 1 || !strings.Contains(p.log.String(), "had_pods_before=false") {
			t.Errorf("logged %d times that no pod is there, want once after 30s:\n%s", n, &p.log)
		}
		s.Records(podRecords([]peer.Peer{{Addr: "10.0.0.1:7946"}})...)
		after(sink, 10*time.Second)
		if got := after(sink, 10*time.Second); got != "Set(10.0.0.1:7946)" {
			t.Errorf("received %s, want the pod", got)
		}
		s.Records()
		after(sink, 2*time.Minute)
		if !strings.Contains(p.log.String(), "has pods") || !strings.Contains(p.log.String(), "had_pods_before=true") {
			t.Errorf("logged, want that pods came and went:\n%s", &p.log)
		}
	})
}
