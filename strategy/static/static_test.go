package static_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/static"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// first runs the strategy until its first answer and returns the calls until then.
func first(t *testing.T, r strategy.Resolver, hosts ...string) []strategytest.Call {
	t.Helper()
	c := static.DefaultConfig()
	c.Hosts = hosts
	st := strategytest.New(t, static.Kind, c, strategy.Env{Resolver: r})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	sink := new(strategytest.Sink)
	_ = st.Run(ctx, sink) // it ends with the context
	return sink.Calls()
}

func ips(all ...string) []netip.Addr {
	addrs := make([]netip.Addr, 0, len(all))
	for _, a := range all {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs
}

func TestPeersOfHosts(t *testing.T) {
	r := new(strategytest.Resolver)
	r.Answer("one.test", ips("10.0.0.1")...)
	r.Answer("mapped.test", ips("::ffff:10.0.0.1", "10.0.0.1")...)
	r.Answer("many.test", ips("10.0.0.3", "fd00::3", "10.0.0.2", "10.0.0.3")...)
	for _, tc := range []struct {
		name  string
		hosts []string
		want  []peer.Peer
	}{
		{"literals", []string{"10.0.0.2:7946", "10.0.0.1:7946", "[FD00::0:1]:7946"}, []peer.Peer{
			{Addr: "10.0.0.1:7946"}, {Addr: "10.0.0.2:7946"}, {Addr: "[fd00::1]:7946"}}},
		{"a name with one address is known by its name", []string{"One.test.:7946"}, []peer.Peer{
			{Addr: "10.0.0.1:7946", ID: "one.test:7946"}}},
		{"two forms of an address are one", []string{"mapped.test:7946"}, []peer.Peer{
			{Addr: "10.0.0.1:7946", ID: "mapped.test:7946"}}},
		{"a name with many", []string{"many.test:7946"}, []peer.Peer{
			{Addr: "10.0.0.2:7946"}, {Addr: "10.0.0.3:7946"}, {Addr: "[fd00::3]:7946"}}},
		{"an address under its name and as it is counts once", []string{"10.0.0.1:7946", "one.test:7946"}, []peer.Peer{
			{Addr: "10.0.0.1:7946", ID: "one.test:7946"}}},
		{"another port is another peer", []string{"one.test:1", "one.test:2"}, []peer.Peer{
			{Addr: "10.0.0.1:1", ID: "one.test:1"}, {Addr: "10.0.0.1:2", ID: "one.test:2"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := first(t, r, tc.hosts...)
				if len(calls) != 1 || calls[0].Method != strategytest.Set {
					t.Fatalf("calls %v, want one Set", calls)
				}
				if diff := cmp.Diff(tc.want, calls[0].Peers); diff != "" {
					t.Errorf("peers (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestLiteralsNeedNoLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(strategytest.Resolver)
		first(t, r, "10.0.0.1:7946", "[fd00::1]:7946")
		if n := r.Lookups(); n != 0 {
			t.Errorf("%d lookups, want none", n)
		}
	})
}

func TestANameThatFailsCostsTheAnswerItsCompleteness(t *testing.T) {
	for name, script := range map[string]func(*strategytest.Resolver, string){
		"SERVFAIL":     (*strategytest.Resolver).ServFail,
		"NXDOMAIN":     (*strategytest.Resolver).NotFound,
		"no addresses": func(r *strategytest.Resolver, host string) { r.Answer(host) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := new(strategytest.Resolver)
				r.Answer("good.test", ips("10.0.0.1")...)
				script(r, "bad.test")
				calls := first(t, r, "good.test:1", "bad.test:1")
				if got, want := strategytest.Summary(calls), "Add(10.0.0.1:1) Fail"; got != want {
					t.Fatalf("calls %s, want %s", got, want)
				}
				if err := calls[1].Err; !strings.Contains(err.Error(), "bad.test") {
					t.Errorf("%q does not name the host", err)
				}
			})
		})
	}
}

func TestAMovedAddressKeepsItsID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(strategytest.Resolver)
		r.Answer("db.test", ips("10.0.0.1")...)
		before := first(t, r, "db.test:1")[0].Peers[0]
		r.Answer("db.test", ips("10.0.0.2")...)
		after := first(t, r, "db.test:1")[0].Peers[0]
		if before.ID != after.ID || before.ID == "" || before.Addr == after.Addr {
			t.Errorf("%v became %v, want the same ID at another address", before, after)
		}
	})
}

// concurrencyCounter counts how many lookups run at once.
type concurrencyCounter struct {
	mu        sync.Mutex
	now, most int
}

func (c *concurrencyCounter) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	c.count(1)
	defer c.count(-1)
	select {
	case <-time.After(100 * time.Millisecond):
		return ips("10.0.0.1"), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *concurrencyCounter) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += n
	c.most = max(c.most, c.now)
}

func TestNamesAreResolvedAtOnceButNotAllOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(concurrencyCounter)
		var hosts []string
		for i := range 20 {
			hosts = append(hosts, fmt.Sprintf("n%d.test:1", i))
		}
		began := time.Now()
		calls := first(t, c, hosts...)
		if c.most != 8 {
			t.Errorf("%d lookups at once, want 8", c.most)
		}
		if took := calls[0].At.Sub(began); took != 300*time.Millisecond {
			t.Errorf("20 names took %v, want three turns of 100ms", took)
		}
	})
}

func TestConfigurationMistakes(t *testing.T) {
	reg, err := strategy.NewRegistry(static.Kind)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, config string
		want         []string
	}{
		{"no hosts", "interval: 5s", []string{"at least one host:port"}},
		{"empty list", "hosts: []", []string{"at least one host:port"}},
		{"all at once", "hosts: [\"10.0.0.1:7946\", \"a:0\", \"b:70000\", \"c\", \":1\"]\ninterval: 1ms", []string{
			"t.yaml:1:26", "1..65535", "t.yaml:1:33", "70000", "t.yaml:1:44", "want host:port", "t.yaml:1:49", "empty", "t.yaml:2:11"}},
		{"twice", "hosts: ['A.test:1', '10.0.0.1:1', 'a.test.:1']", []string{"t.yaml:1:35", "the same as hosts[0]"}},
		{"unspecified", "hosts: ['0.0.0.0:7946', '[::]:1']", []string{"t.yaml:1:9", "0.0.0.0", "t.yaml:1:25"}},
		{"unknown key", "host: ['a:1']", []string{`"host"`, "hosts"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var doc yaml.Node
			if err := yaml.Unmarshal([]byte(tc.config), &doc); err != nil {
				t.Fatal(err)
			}
			_, err := reg.Configure("static", doc.Content[0], strategy.Source{File: "t.yaml"})
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
		})
	}
}

func TestABadConfigurationMadeInGoIsRefused(t *testing.T) {
	if _, err := static.Kind.Configure(static.Config{Hosts: []string{"a"}}); err == nil {
		t.Error("no error")
	}
}

func TestOneEntryMayHoldSeveralHosts(t *testing.T) {
	c := static.DefaultConfig()
	c.Hosts = []string{"10.0.0.1:7946, 10.0.0.2:7946,10.0.0.3:7946", "10.0.0.4:7946"}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	made, err := static.Kind.Configure(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := made.New(strategy.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if peers, err := strategy.Find(t.Context(), s); err != nil || len(peers) != 4 {
		t.Errorf("Find = %v, %v, want four peers", peers, err)
	}
	c.Hosts = []string{"10.0.0.1:7946", "10.0.0.2:7946,10.0.0.1:7946,"}
	err = c.Validate()
	for _, want := range []string{`hosts[1]: address "10.0.0.1:7946" is the same as hosts[0]`, `hosts[1]: address ""`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want %q", err, want)
		}
	}
}
