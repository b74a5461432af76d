package dns

import (
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/strategy"
)

func TestConfigurationsThatCannotWorkAreRefusedAtTheirPlace(t *testing.T) {
	for _, tc := range []struct{ kind, config, want string }{
		{"dns", "{}", `names: name at least one`},
		{"dns", "{names: []}", `names: name at least one`},
		{"dns", "{names: [a.test]}", `names[0]: "a.test" has no port`},
		{"dns", "{names: [a.test, 10.0.0.1], port: 1}", `names[1]: "10.0.0.1" is an address`},
		{"dns", "{names: [a.test, A.test], port: 1}", `names[1]: "A.test" is the same as names[0]`},
		{"dns", "{names: [a.test], port: 70000}", "port: 70000 is not in 1..65535"},
		{"dns", "{names: [a.test], port: -1}", "port: -1 is not in 1..65535"},
		{"dns", "{names: [a.test], port: 1, family: ipv5}", `family: "ipv5" is none of [any same ipv4 ipv6]`},
		{"dns", "{names: [a.test], port: 1, interval: 500ms}", "interval: 500ms is below the minimum of 1s"},
		{"dns", "{names: [a.test], port: 1, interval: 5h}", "interval: 5h0m0s is above"},
		{"dns", "{names: [a.test], port: 1, timeout: 0s}", "timeout: 0s is not above 0"},
		{"dns", "{names: [a.test], port: 1, servers: [10.0.0.1]}", `servers[0]: "10.0.0.1" has no port; DNS servers listen on 53`},
		{"dns", "{names: [a.test], port: 1, servers: ['fd00::1']}", `servers[0]: "fd00::1" has no port`},
		{"dns", "{names: [a.test], port: 1, servers: ['dns.test:53']}", `servers[0]: "dns.test:53" is a name`},
		{"dns", "{names: [a.test], port: 1, servers: ['x']}", `servers[0]: address "x"`},
		{"dns", "{names: [a.test], port: 1, servers: ['10.0.0.1:0']}", `servers[0]: "10.0.0.1:0": port 0 is not in 1..65535`},
		{"kubernetes_dns", "{service: a, port: 1, service_account: ''}", "service_account: name the directory"},
		{"dns", "{names: [a.test], port: 1, resolv_conf: ''}", "resolv_conf: is empty"},
		{"dns", "{names: [" + strings.Repeat("a,", 65) + "]}", "names: has 65 entries"},
		{"dns", "{names: [a.test], port: 1, servers: [" + strings.Repeat("'1.1.1.1:53',", 17) + "]}", "servers: has 17 entries"},
		{"kubernetes_dns", "{port: 1}", "service: name the headless Service"},
		{"kubernetes_dns", "{service: a.b, port: 1}", `service: "a.b" is not a valid Service name`},
		{"kubernetes_dns", "{service: a, namespace: A, port: 1}", `namespace: "A" is not a valid`},
		{"kubernetes_dns", "{service: a, port_name: -, protocol: tcp}", `port_name: "-" is not a valid`},
		{"kubernetes_dns", "{service: a}", "port_name: set the name of a port of the Service, or port"},
		{"kubernetes_dns", "{service: a, port_name: p, port: 1}", "port: port_name is set too"},
		{"kubernetes_dns", "{service: a, port_name: p, protocol: sctp}", `protocol: "sctp" is neither tcp nor udp`},
		{"kubernetes_dns", "{service: a, port: 1, domain: a..b}", `domain: "a..b"`},
		{"kubernetes_dns", "{service: a, port: 1, family: any}", `family: "any" is none of [same ipv4 ipv6]`},
		{"kubernetes_dns", "{service: a, port: 66666}", "port: 66666"},
		{"kubernetes_dns", "{service: a, port: 1, servers: [x]}", "servers[0]"},
	} {
		err := configure(t, tc.kind, tc.config)
		if err == nil {
			t.Errorf("%s %s is taken", tc.kind, tc.config)
			continue
		}
		key, text, _ := strings.Cut(tc.want, ": ")
		if !strings.Contains(err.Error(), text) && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %s: error %q, want %q at %s in it", tc.kind, tc.config, err, text, key)
		}
	}
}

func TestGoodConfigurationsAreTaken(t *testing.T) {
	for kind, configs := range map[string][]string{
		"dns": {
			"{names: [_g._tcp.test]}", "{names: ['dns+a.test:1', 'dnssrv+_g._tcp.test', 'dnssrvnoa+_g._tcp.test']}",
			"{names: [a.test], port: 1, servers: ['[fd00::1]:53', '10.0.0.1:5353'], resolv_conf: ''}",
			"{names: ['a.test:1', 'a.test:2'], sampled: true, family: same, interval: 1s}",
		},
		"kubernetes_dns": {
			"{service: orders, port: 7946}", "{service: orders, port_name: gossip, protocol: udp, domain: example.com., family: ipv6}",
		},
	} {
		for _, config := range configs {
			if err := configure(t, kind, config); err != nil {
				t.Errorf("%s %s: %v", kind, config, err)
			}
		}
	}
}

func configure(t *testing.T, kind, config string) error {
	t.Helper()
	r, err := strategy.NewRegistry(Kind, KubernetesKind)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(config), &doc); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", config, err))
	}
	c, err := r.Configure(kind, doc.Content[0], strategy.Source{File: "t.yaml"})
	if err == nil {
		_, err = c.New(strategy.Env{})
	}
	return err
}
