package builtin_test

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/builtin"
)

func TestTheNamesOfLibclusterArePointedToThoseOfToday(t *testing.T) {
	for _, c := range []struct{ strategy, config, want string }{
		{"Cluster.Strategy.Gossip", "{}", "it is called multicast here"},
		{"Cluster.Strategy.Epmd", "{}", "it is called static here"},
		{"Cluster.Strategy.LocalEpmd", "{}", "it is called local here"},
		{"Cluster.Strategy.ErlangHosts", "{}", "it is called hostsfile here"},
		{"Cluster.Strategy.Rancher", "{}", "it is called rancher here"},
		{"Cluster.Strategy.Kubernetes", "{}", "it is called kubernetes here"},
		{"Cluster.Strategy.Kubernetes.DNS", "{}", "it is called kubernetes_dns here"},
		{"Cluster.Strategy.Kubernetes.DNSSRV", "{}", "it is called kubernetes_dns here"},
		{"Cluster.Strategy.DNSPoll", "{}", "it is called dns here"},

		{"multicast", "{multicast_addr: 230.1.1.251}", "it is called ipv4_group here"},
		{"multicast", "{multicast_if: 10.0.0.7}", "it is called interfaces here"},
		{"multicast", "{multicast_ttl: 2}", "it is called ttl here"},
		{"multicast", "{broadcast_only: true}", "it is called broadcast here"},
		{"multicast", "{secret: x}", "set keys, 32 bytes in base64"},
		{"multicast", "{if_addr: 0.0.0.0}", "interfaces chooses the networks"},
		{"rancher", "{node_basename: a}", "a peer is an address"},
		{"rancher", "{polling_interval: 5000}", "it is called interval here"},
		{"dns", "{query: a.example}", "it is called names here"},
		{"dns", "{polling_interval: 5000}", "it is called interval here"},
		{"dns", "{poll_interval: 5000}", "it is called interval here"},
		{"dns", "{node_basename: a}", "a peer is an address"},
		{"dns", "{resolver: a}", "it is called servers here"},
		{"kubernetes_dns", "{application_name: a}", "a peer is an address"},
		{"kubernetes_dns", "{polling_interval: 5000}", "it is called interval here"},
		{"kubernetes", "{kubernetes_selector: app=a}", "it is called selector here"},
		{"kubernetes", "{kubernetes_namespace: a}", "it is called namespaces here"},
		{"kubernetes", "{kubernetes_ip_lookup_mode: pods}", "it is called source here"},
		{"kubernetes", "{kubernetes_service_name: a}", "it is called service here"},
		{"kubernetes", "{kubernetes_cluster_name: a}", "it is called domain here"},
		{"kubernetes", "{kubernetes_master: a}", "it is called api here"},
		{"kubernetes", "{kubernetes_node_basename: a}", "a peer is an address"},
		{"kubernetes", "{kubernetes_service_account_path: /x}", "it is called service_account here"},
		{"kubernetes", "{kubernetes_use_cached_resources: true}", "served from the cache"},
		{"kubernetes", "{polling_interval: 5000}", "it is called interval here"},
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(c.config), &doc); err != nil {
			t.Fatal(err)
		}
		_, err := builtin.Registry().Configure(c.strategy, doc.Content[0], strategy.Source{File: "t.yaml"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("strategy %s with %s: error = %v, want %q", c.strategy, c.config, err, c.want)
		}
	}
}
