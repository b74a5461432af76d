package kubernetestest

import (
	"fmt"
	"net/netip"
)

// Slice returns an EndpointSlice of a Service with one port, "gossip", and endpoints.
func Slice(service string, port int, endpoints ...Object) Object {
	kind := "IPv4"
	for _, e := range endpoints {
		if addrs, _ := e["addresses"].([]any); len(addrs) > 0 {
			if ip, err := netip.ParseAddr(fmt.Sprint(addrs[0])); err == nil && ip.Is6() {
				kind = "IPv6"
			}
		}
	}
	all := make([]any, 0, len(endpoints))
	for _, e := range endpoints {
		all = append(all, e)
	}
	return Object{
		"metadata":    Object{"labels": Object{"kubernetes.io/service-name": service}},
		"addressType": kind,
		"endpoints":   all,
		"ports":       []any{Object{"name": "gossip", "port": port, "protocol": "TCP"}},
	}
}

// Endpoint returns a ready endpoint of a pod.
func Endpoint(pod, ip string) Object {
	return Object{
		"addresses":  []any{ip},
		"conditions": Object{"ready": true, "serving": true, "terminating": false},
		"targetRef":  Object{"kind": "Pod", "name": pod, "namespace": "shop", "uid": "uid-" + pod},
		"nodeName":   "worker-1",
		"zone":       "zone-a",
	}
}

// Pod returns a running and ready pod with one container, "app", and its port, "gossip".
func Pod(app string, port int, ips ...string) Object {
	all := make([]any, 0, len(ips))
	for _, ip := range ips {
		all = append(all, Object{"ip": ip})
	}
	first := ""
	if len(ips) > 0 {
		first = ips[0]
	}
	return Object{
		"metadata": Object{"labels": Object{"app": app, "topology.kubernetes.io/zone": "zone-a"}},
		"spec": Object{"nodeName": "worker-1", "containers": []any{
			Object{"name": "app", "ports": []any{Object{"name": "gossip", "containerPort": port}}},
		}},
		"status": Object{
			"phase": "Running", "podIP": first, "podIPs": all,
			"conditions":        []any{Object{"type": "Ready", "status": "True"}},
			"containerStatuses": []any{Object{"name": "app", "state": Object{"running": Object{}}}},
		},
	}
}
