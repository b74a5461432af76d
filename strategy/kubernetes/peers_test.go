package kubernetes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// buildPeers returns what is made of objects: one peer a line, and the error.
func buildPeers(t *testing.T, c Config, env strategy.Env, objects ...string) (string, error) {
	t.Helper()
	if env.Self == nil {
		env.Self = func() []peer.Peer { return nil }
	}
	if env.Log == nil {
		env.Log = quietLog
	}
	f := &resolver{config: c, env: env}
	s := newStore(c, func(bool) {})
	for i, text := range objects {
		var o map[string]any
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		u := &unstructured.Unstructured{Object: asAPINumbers(o).(map[string]any)}
		if u.GetName() == "" {
			u.SetName(fmt.Sprintf("object-%d", i))
		}
		if u.GetNamespace() == "" {
			u.SetNamespace("shop")
		}
		if err := s.Add(u); err != nil {
			t.Fatal(err)
		}
	}
	candidates, err := s.allCandidates()
	peers, bad := f.buildAnswer(candidates, err == nil)
	if bad != nil {
		err = bad
	}
	var lines []string
	for _, p := range peers {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", p.ID, p.Addr, p.Zone, p.Version)))
	}
	return strings.Join(lines, "\n"), err
}

// asAPINumbers turns the numbers of package json into those of the API machinery.
func asAPINumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = asAPINumbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = asAPINumbers(v[i])
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}

// sliceJSON writes a slice of the Service orders with these endpoints.
func sliceJSON(addressType string, endpoints ...string) string {
	return fmt.Sprintf(`{"kind": "EndpointSlice", "metadata": {"labels": {"kubernetes.io/service-name": "orders", "release": "blue"}},
		"addressType": %q, "endpoints": [%s], "ports": [{"name": "gossip", "port": 7946}]}`, addressType, strings.Join(endpoints, ", "))
}

// endpointJSON writes an endpoint of a pod; more is further JSON.
func endpointJSON(pod, ip, more string) string {
	return fmt.Sprintf(`{"addresses": [%q], "targetRef": {"name": %q, "uid": "uid-%s"}%s}`, ip, pod, pod, more)
}

func TestPeersOfSlices(t *testing.T) {
	for _, c := range []struct {
		name    string
		set     func(*Config)
		env     strategy.Env
		objects []string
		want    string
		err     string
	}{
		{name: "an address without targetRef is a peer without a name", objects: []string{sliceJSON("IPv4", `{"addresses": ["10.0.0.1"]}`)},
			want: "10.0.0.1:7946"},
		{name: "null endpoints are none", objects: []string{`{"kind": "EndpointSlice", "endpoints": null, "ports": null, "addressType": "IPv4"}`}},
		{name: "null fields are absent", objects: []string{sliceJSON("IPv4",
			`{"addresses": ["10.0.0.1"], "conditions": {"ready": null, "terminating": null}, "targetRef": null, "zone": null, "hostname": null, "nodeName": null}`,
			`{"addresses": null}`, `null`)}, want: "10.0.0.1:7946"},
		{name: "not ready is in, terminating is out, serving or not", objects: []string{sliceJSON("IPv4",
			endpointJSON("a", "10.0.0.1", `, "conditions": {"ready": false, "serving": false, "terminating": false}`),
			endpointJSON("b", "10.0.0.2", `, "conditions": {"ready": false, "serving": true, "terminating": true}`),
			endpointJSON("c", "10.0.0.3", `, "conditions": {"ready": true, "terminating": true}`))}, want: "a 10.0.0.1:7946"},
		{name: "terminating alone when set so", set: func(c *Config) { c.Include = []State{Terminating} }, objects: []string{sliceJSON("IPv4",
			endpointJSON("a", "10.0.0.1", ``), endpointJSON("b", "10.0.0.2", `, "conditions": {"ready": false, "terminating": true}`))}, want: "b 10.0.0.2:7946"},
		{name: "a pod in two slices is one peer, its healthiest", set: func(c *Config) { c.Include = append(c.Include, Terminating) },
			objects: []string{
				sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", `, "conditions": {"ready": false, "terminating": true}`)),
				sliceJSON("IPv4", endpointJSON("a", "10.0.0.2", ``)), sliceJSON("IPv4", endpointJSON("a", "10.0.0.2", ``)),
			}, want: "a 10.0.0.2:7946"},
		{name: "dual stack: IPv4 first", objects: []string{sliceJSON("IPv6", endpointJSON("a", "fd00::1", ``)), sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``))},
			want: "a 10.0.0.1:7946"},
		{name: "dual stack: the family of this node first", env: strategy.Env{Self: func() []peer.Peer { return []peer.Peer{{Addr: "0.0.0.0:1"}, {Addr: "[fd00::9]:1"}} }},
			objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``), endpointJSON("b", "10.0.0.2", ``)), sliceJSON("IPv6", endpointJSON("a", "fd00::1", ``))},
			want:    "b 10.0.0.2:7946\na [fd00::1]:7946"},
		{name: "dual stack: the family set", set: func(c *Config) { c.Family = IPv6 },
			objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``)), sliceJSON("IPv6", endpointJSON("a", "fd00::1", ``))}, want: "a [fd00::1]:7946"},
		{name: "hostname: a pod without one is left out", set: func(c *Config) { c.Mode, c.Domain = Hostname, "corp.example" },
			objects: []string{sliceJSON("IPv4", endpointJSON("orders-0", "10.0.0.1", `, "hostname": "orders-0"`), endpointJSON("b", "10.0.0.2", `, "hostname": null`))},
			want:    "orders-0 orders-0.orders.shop.svc.corp.example:7946"},
		{name: "dns: dashed addresses, IPv6 too", set: func(c *Config) { c.Mode, c.Domain = DNS, "cluster.local" },
			objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``)), sliceJSON("IPv6", endpointJSON("b", "fd00::7", ``), endpointJSON("c", "::1", ``))},
			want:    "c 0--1.shop.pod.cluster.local:7946\na 10-0-0-1.shop.pod.cluster.local:7946\nb fd00--7.shop.pod.cluster.local:7946"},
		{name: "names in place of addresses", objects: []string{sliceJSON("FQDN", `{"addresses": ["db.example"]}`)}, want: "db.example:7946"},
		{name: "no address: the others stay", objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``), endpointJSON("b", "ten", ``))},
			want: "a 10.0.0.1:7946", err: `"ten" is not an address`},
		{name: "zone and version", set: func(c *Config) { c.VersionLabel = "release" },
			objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", `, "zone": "eu-1a"`))}, want: "a 10.0.0.1:7946 eu-1a blue"},
		{name: "version: same keeps a rollout apart", set: func(c *Config) { c.VersionLabel, c.Version, c.OwnVersion = "release", "same", "green" },
			objects: []string{
				sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``)),
				strings.Replace(sliceJSON("IPv4", endpointJSON("b", "10.0.0.2", ``)), "blue", "green", 1),
			}, want: "b 10.0.0.2:7946  green"},
		{name: "the name from a template", set: func(c *Config) { c.Name = "{label:release}-{name}-{zone}@{node}" },
			objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", `, "zone": "eu-1a", "nodeName": "n1"`), endpointJSON("b", "10.0.0.2", ``))},
			want:    "blue-a-eu-1a@n1 10.0.0.1:7946 eu-1a\n10.0.0.2:7946"},
		{name: "several namespaces: the name distinguishes them", set: func(c *Config) { c.Namespaces = []string{"shop", "quay"} },
			objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``))}, want: "a.shop 10.0.0.1:7946"},
		{name: "the port that is set wins", set: func(c *Config) { c.Port = 1 }, objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``))},
			want: "a 10.0.0.1:1"},
		{name: "a named port", set: func(c *Config) { c.PortName = "gossip" }, objects: []string{strings.Replace(
			sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``)), `"ports": [`, `"ports": [{"name": "http", "port": 80}, `, 1)}, want: "a 10.0.0.1:7946"},
		{name: "a port that is not there is reported", set: func(c *Config) { c.PortName = "grpc" }, objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``))},
			err: `endpointslice shop/object-0 has no port named "grpc", it has ["gossip"]; correct port_name or set port`},
		{name: "no port is reported", objects: []string{strings.Replace(sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``)), `{"name": "gossip", "port": 7946}`, ``, 1)},
			err: `object-0 leaves the port open, it has none; set port or port_name`},
		{name: "a wrong type spoils one object", objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``)), `{"kind": "EndpointSlice", "endpoints": 7}`},
			want: "a 10.0.0.1:7946", err: "endpointslices shop/object-1 is not readable"},
		{name: "another kind spoils one object", objects: []string{`{"kind": "Table"}`}, err: `it is of kind "Table", want EndpointSlice`},
		{name: "pods that share an address are one peer", objects: []string{sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", ``), endpointJSON("b", "10.0.0.1", ``))},
			want: "a 10.0.0.1:7946"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := DefaultConfig()
			config.Service = "orders"
			if c.set != nil {
				c.set(&config)
			}
			got, err := buildPeers(t, config, c.env, c.objects...)
			if diff := cmp.Diff(strings.TrimSpace(c.want), strings.TrimSpace(got)); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error = %v, want %q", err, c.err)
			}
		})
	}
}

func TestAHundredAndTwentyEndpointsInTwoSlicesThatOverlap(t *testing.T) {
	var first, second []string
	for i := range 100 {
		first = append(first, endpointJSON(fmt.Sprintf("orders-%d", i), fmt.Sprintf("10.0.0.%d", i), ""))
	}
	for i := 90; i < 120; i++ {
		second = append(second, endpointJSON(fmt.Sprintf("orders-%d", i), fmt.Sprintf("10.0.0.%d", i), ""))
	}
	c := DefaultConfig()
	c.Service = "orders"
	got, err := buildPeers(t, c, strategy.Env{}, sliceJSON("IPv4", first...), sliceJSON("IPv4", second...))
	if n := strings.Count(got, "\n") + 1; err != nil || n != 120 {
		t.Errorf("%d peers (%v), want 120", n, err)
	}
}

// podJSON writes a pod; its status may be overridden.
func podJSON(name, status string) string {
	return fmt.Sprintf(`{"kind": "Pod", "metadata": {"name": %q, "uid": "uid-%s", "labels": {"app": "orders", "pod-template-hash": "5d4",
		"topology.kubernetes.io/zone": "eu-1a"}}, "spec": {"nodeName": "n1", "containers": [
		{"name": "app", "ports": [{"name": "gossip", "containerPort": 7946}]}, {"name": "proxy"}]}, "status": %s}`, name, name, status)
}

func TestPeersOfPods(t *testing.T) {
	const running = `"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]`
	for _, c := range []struct {
		name   string
		set    func(*Config)
		object string
		want   string
		err    string
	}{
		{name: "a running pod, ready or not", object: podJSON("a", `{`+running+`}`), want: "a 10.0.0.1:7946 eu-1a 5d4"},
		{name: "not ready is out when set so", set: func(c *Config) { c.Include = []State{Ready} }, object: podJSON("a", `{`+running+`}`)},
		{name: "ready", set: func(c *Config) { c.Include = []State{Ready} },
			object: podJSON("a", `{`+running+`, "conditions": [{"type": "Ready", "status": "True"}]}`), want: "a 10.0.0.1:7946 eu-1a 5d4"},
		{name: "the other family", set: func(c *Config) { c.Family = IPv6 }, object: podJSON("a", `{`+running+`}`), want: "a [fd00::1]:7946 eu-1a 5d4"},
		{name: "podIP alone", object: podJSON("a", `{"phase": "Running", "podIP": "10.0.0.1"}`), want: "a 10.0.0.1:7946 eu-1a 5d4"},
		{name: "a pod that has ended, whose address may be another's by now", object: podJSON("a", strings.Replace(`{`+running+`}`, "Running", "Succeeded", 1))},
		{name: "a pod without an address yet", object: podJSON("a", `{"phase": "Pending"}`)},
		{name: "a pod that is being deleted", object: strings.Replace(podJSON("a", `{`+running+`}`), `"labels"`, `"deletionTimestamp": "2026-01-01T00:00:00Z", "labels"`, 1)},
		{name: "a container that crashes again and again",
			object: podJSON("a", `{`+running+`, "containerStatuses": [{"name": "proxy"}, {"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}`)},
		{name: "another container that does", want: "a 10.0.0.1:7946 eu-1a 5d4",
			object: podJSON("a", `{`+running+`, "containerStatuses": [{"name": "proxy", "state": {"waiting": {}}}, {"name": "app", "state": {"running": {}}}]}`)},
		{name: "the container that is named counts", set: func(c *Config) { c.Container, c.Port = "proxy", 1 },
			object: podJSON("a", `{`+running+`, "containerStatuses": [{"name": "proxy", "state": {"waiting": {}}}]}`)},
		{name: "another version", set: func(c *Config) { c.Version, c.OwnVersion = "same", "77f" }, object: podJSON("a", `{`+running+`}`)},
		{name: "null everywhere", object: `{"kind": "Pod", "metadata": {"labels": null}, "spec": null, "status": null}`},
		{name: "no address", object: podJSON("a", `{"phase": "Running", "podIP": "x"}`), err: `pod shop/a: "x" is not an address`},
		{name: "no port", set: func(c *Config) { c.Container = "proxy" }, object: podJSON("a", `{`+running+`}`), err: "pod shop/a leaves the port open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := DefaultConfig()
			config.Source, config.Selector, config.VersionLabel = Pods, "app=orders", "pod-template-hash"
			if c.set != nil {
				c.set(&config)
			}
			object := strings.Replace(c.object, `"metadata": {`, `"metadata": {"namespace": "shop", `, 1)
			got, err := buildPeers(t, config, strategy.Env{}, object)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error = %v, want %q", err, c.err)
			}
		})
	}
}
