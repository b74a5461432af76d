package kubernetes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/strategy"
)

var quietLog = hclog.NewNullLogger()

func configure(tb testing.TB, text string) (*strategy.Configured, error) {
	tb.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		tb.Fatal(err)
	}
	r, err := strategy.NewRegistry(Kind)
	if err != nil {
		tb.Fatal(err)
	}
	return r.Configure("kubernetes", doc.Content[0], strategy.Source{File: "t.yaml"})
}

func TestConfigurations(t *testing.T) {
	for _, c := range []struct{ config, err string }{
		{"service: orders", ""},
		{"{source: pods, selector: 'app in (a, b)'}", ""},
		{"{source: pods, field_selector: 'spec.nodeName=n1'}", ""},
		{"{service: orders, kubeconfig: /x, context: lab, watch: false, interval: 20s}", ""},
		{"{service: orders, version: same, version_label: release, own_version: blue}", ""},
		{"{service: orders, api: 'https://10.0.0.1:6443', domain: corp.example.}", ""},
		{"{}", "t.yaml:1:1: service: name the Service"},
		{"service: Orders", `t.yaml:1:10: service: "Orders" is not a valid Service name`},
		{"source: endpoints", `source: "endpoints" is unknown; want endpointslices, pods`},
		{"{source: pods, service: orders}", "service: pods are found by their labels"},
		{"source: pods", "selector: name the pods"},
		{"{service: orders, selector: 'a=b=c'}", "selector: "},
		{"{source: pods, selector: a=b, field_selector: 'a~b'}", "field_selector: "},
		{"{service: orders, field_selector: a=b}", "field_selector: slices have no fields"},
		{"{service: orders, container: app}", "container: slices do not name"},
		{"{service: orders, namespaces: [shop, Shop, shop]}", `t.yaml:1:38: namespaces[1]: "Shop" is not a valid`},
		{"{service: orders, namespaces: [shop, shop]}", `"shop" is listed twice`},
		{"{service: orders, include: []}", "include: no peer would be found"},
		{"{service: orders, include: [alive]}", `include[0]: "alive" is unknown`},
		{"{service: orders, mode: srv}", `mode: "srv" is unknown`},
		{"{service: orders, family: ip4}", `family: "ip4" is unknown`},
		{"{service: orders, port: 65536}", "port: 65536 is not in 1..65535"},
		{"{service: orders, relist: 5s}", "relist: 5s is not in 1m..24h"},
		{"{service: orders, interval: 2m}", "interval: 2m0s is above"},
		{"{service: orders, name: '{pod}'}", "name: {pod} is unknown; want some of {name}"},
		{"{service: orders, name: 'a{name'}", "name: a { without its }"},
		{"{service: orders, name: 'a}'}", "name: a } without its {"},
		{"{service: orders, domain: 'a..b'}", `domain: "a..b" is not a domain`},
		{"{service: orders, version: same}", "version_label: version: same needs the label"},
		{"{service: orders, version: same, version_label: a}", "own_version: version: same needs this node's own"},
		{"{service: orders, context: lab}", "context: a context stands in a kubeconfig"},
		{"{service: orders, api: 'http://10.0.0.1'}", `api: "http://10.0.0.1" is not https://host:port`},
		{"{service: orders, api: 'https://a:1', kubeconfig: x}", "api: the kubeconfig names"},
		{"{service: orders, service_account: ''}", "service_account: name the directory"},
		{"{service: orders, selctor: a}", `unknown key "selctor"`},
	} {
		_, err := configure(t, c.config)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error = %v, want %q", c.config, err, c.err)
		}
	}
}

func TestSearchNamesAreReadFromResolvConf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if got := searchNames(path); got != nil {
		t.Errorf("searchNames of no file = %q, want none", got)
	}
	text := "nameserver 10.96.0.10\nsearch shop.svc.lab.example svc.lab.example\n\noptions ndots:5\nsearch lab.example"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := searchNames(path), []string{"shop.svc.lab.example", "svc.lab.example", "lab.example"}; !slices.Equal(got, want) {
		t.Errorf("searchNames = %q, want %q", got, want)
	}
}
