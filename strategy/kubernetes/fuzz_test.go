package kubernetes

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

func FuzzSlice(f *testing.F) {
	f.Add(sliceJSON("IPv4", endpointJSON("a", "10.0.0.1", `, "hostname": "a", "zone": "z", "conditions": {"ready": true, "terminating": false}`)))
	f.Add(sliceJSON("IPv6", endpointJSON("a", "fd00::1", ``), `{"addresses": null}`, `null`))
	f.Add(sliceJSON("FQDN", `{"addresses": ["db.example"]}`))
	f.Add(`{"kind": "EndpointSlice", "endpoints": 7, "ports": [{"port": 1e99}]}`)
	c := DefaultConfig()
	c.Service = "orders"
	fuzz(f, c)
}

func FuzzPod(f *testing.F) {
	f.Add(podJSON("a", `{"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}`))
	f.Add(podJSON("a", `{"phase": "Running", "podIPs": null, "containerStatuses": [{"name": "app", "state": {"waiting": {}}}, null]}`))
	f.Add(`{"kind": "Pod", "spec": {"containers": [{"ports": [{"containerPort": -1}]}]}, "status": {"phase": "Running", "podIP": "1.1.1.1"}}`)
	c := DefaultConfig()
	c.Source, c.Selector = Pods, "app=orders"
	fuzz(f, c)
}

// fuzz reads objects in every mode: none may panic, and every peer has an address in its canonical form.
func fuzz(f *testing.F, c Config) {
	c.Domain, c.Name, c.VersionLabel = "cluster.local", "{name}-{label:app}", "pod-template-hash"
	f.Fuzz(func(t *testing.T, text string) {
		var u unstructured.Unstructured
		if u.UnmarshalJSON([]byte(text)) != nil {
			return
		}
		for _, mode := range []Mode{IP, Hostname, DNS} {
			c.Mode = mode
			s := newStore(c, func(bool) {})
			if err := s.Add(&u); err != nil {
				t.Fatal(err)
			}
			candidates, _ := s.allCandidates()
			resolver := &resolver{config: c,
				env: strategy.Env{Log: quietLog, Self: func() []peer.Peer { return nil }}}
			peers, _ := resolver.buildAnswer(candidates, true)
			for _, p := range peers {
				if canonical, err := peer.Addr(p.Addr); err != nil || canonical != p.Addr {
					t.Errorf("mode %s: address %q, want it in its canonical form, %q (%v)", mode, p.Addr, canonical, err)
				}
			}
		}
	})
}
