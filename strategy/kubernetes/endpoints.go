package kubernetes

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// candidate is one address of an endpoint or pod.
type candidate struct {
	uid       string // of the pod; "" for endpoints that are none
	name      string // of the pod, else ""
	namespace string
	hostname  string // of the pod within its Service, else ""
	service   string // that gives the pod a DNS name
	node      string
	zone      string
	version   string
	labels    map[string]string // of the object it was read from

	ip    string      // the address as it is written in the object; a name in slices of names
	addr  netip.Addr  // the same, invalid for a name
	ports *slicePorts // of the slice, to choose the port from; nil once it is known
	port  int
	state State
}

// fromSlice returns the endpoints of a slice that may be peers.
func (c Config) fromSlice(s sliceObject) ([]*candidate, error) {
	var all []*candidate
	var bad error
	for _, e := range s.Endpoints {
		if len(e.Addresses) == 0 || !c.includes(e.state()) {
			continue
		}
		one := &candidate{
			namespace: s.Metadata.Namespace,
			service:   s.Metadata.Labels[serviceLabel],
			labels:    s.Metadata.Labels,
			version:   s.Metadata.Labels[c.VersionLabel],
			hostname:  stringOrEmpty(e.Hostname),
			node:      stringOrEmpty(e.NodeName),
			zone:      stringOrEmpty(e.Zone),
			state:     e.state(),
			ip:        e.Addresses[0], // all that follow are the same endpoint, and Kubernetes sets just one
		}
		if r := e.TargetRef; r != nil {
			one.uid, one.name = r.UID, r.Name
			if r.Namespace != "" {
				one.namespace = r.Namespace
			}
		}
		one.addr, _ = netip.ParseAddr(one.ip)
		if one.addr.IsValid() == (s.AddressType == "FQDN") {
			bad = fmt.Errorf("endpointslice %s: %q is not an address of type %s", s.Metadata.key(), one.ip, s.AddressType)
			continue
		}
		all = append(all, one)
	}
	if len(all) > 0 { // a slice without endpoints needs no port
		ports := portsOf(s)
		for i := range all {
			all[i].ports = ports
		}
	}
	return all, bad
}

func (e endpoint) state() State {
	switch {
	case e.Conditions.Terminating != nil && *e.Conditions.Terminating:
		return Terminating
	case e.Conditions.Ready == nil || *e.Conditions.Ready: // by the API, unknown counts as ready
		return Ready
	default:
		return NotReady
	}
}

// choosePort chooses among the ports of an object; names are in its order.
func (c Config) choosePort(of string, names []string, ports map[string]int64) (int, error) {
	if c.Port != 0 {
		return c.Port, nil
	}
	has := "none"
	if len(names) > 0 {
		has = fmt.Sprintf("%q", names)
	}
	name := c.PortName
	switch {
	case name != "" && !slices.Contains(names, name):
		return 0, fmt.Errorf("%s has no port named %q, it has %s; correct port_name or set port", of, name, has)
	case name == "" && len(names) != 1:
		return 0, fmt.Errorf("%s leaves the port open, it has %s; set port or port_name", of, has)
	case name == "":
		name = names[0]
	}
	n := ports[name]
	if n < 1 || n > 65535 {
		return 0, fmt.Errorf("%s: port %d is not in 1..65535", of, n)
	}
	return int(n), nil
}

// fromPod returns the addresses of a pod, if it may be a peer.
func (c Config) fromPod(p podObject) ([]*candidate, error) {
	state := p.state()
	if p.Status.Phase != "Running" || !c.includes(state) || p.containerWaits(c.Container) {
		return nil, nil
	}
	addrs := p.Status.PodIPs
	if len(addrs) == 0 && p.Status.PodIP != "" {
		addrs = []podIP{{p.Status.PodIP}}
	}
	var all []*candidate
	var bad error
	for _, a := range addrs {
		addr, err := netip.ParseAddr(a.IP)
		if err != nil {
			bad = fmt.Errorf("pod %s: %q is not an address", p.Metadata.key(), a.IP)
			continue
		}
		all = append(all, &candidate{
			uid: p.Metadata.UID, name: p.Metadata.Name, namespace: p.Metadata.Namespace, labels: p.Metadata.Labels,
			hostname: p.Spec.Hostname, service: p.Spec.Subdomain, node: p.Spec.NodeName,
			zone: p.Metadata.Labels[zoneLabel], version: p.Metadata.Labels[c.VersionLabel],
			ip: a.IP, addr: addr, state: state,
		})
	}
	if len(all) == 0 {
		return nil, bad
	}
	port, err := c.podPort(p)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].port = port
	}
	return all, bad
}

func (p podObject) state() State {
	if p.Metadata.DeletionTimestamp != nil {
		return Terminating
	}
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return Ready
		}
	}
	return NotReady
}

// containerWaits reports whether a container waits: to be started, or to be restarted after a crash.
func (p podObject) containerWaits(name string) bool {
	if name == "" && len(p.Spec.Containers) > 0 {
		name = p.Spec.Containers[0].Name
	}
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == name {
			return s.State.Waiting != nil
		}
	}
	return false
}

func (c Config) podPort(p podObject) (int, error) {
	var names []string
	ports := make(map[string]int64)
	for _, k := range p.Spec.Containers {
		if c.Container != "" && k.Name != c.Container {
			continue
		}
		for _, q := range k.Ports {
			names = append(names, q.Name)
			ports[q.Name] = q.ContainerPort
		}
	}
	return c.choosePort("pod "+p.Metadata.key(), names, ports)
}

func stringOrEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return strings.TrimSpace(*s)
}
