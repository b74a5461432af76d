package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// slicePorts are the ports of one slice. Which of them the peers listen on depends on the slices of the other
// Services, so it is chosen when all are known: see [resolver.withPorts].
type slicePorts struct {
	of      string // the slice, as errors name it
	service serviceKey
	names   []string // in the order of the slice
	numbers map[string]int64
}

// serviceKey names a Service; the name is "" for slices that belong to none.
type serviceKey struct{ namespace, name string }

// portsOf returns the ports of a slice.
func portsOf(s sliceObject) *slicePorts {
	p := &slicePorts{
		of:      "endpointslice " + s.Metadata.key(),
		service: serviceKey{s.Metadata.Namespace, s.Metadata.Labels[serviceLabel]},
		numbers: make(map[string]int64),
	}
	for _, q := range s.Ports {
		if q.Port == nil {
			continue
		}
		name := stringOrEmpty(q.Name)
		p.names = append(p.names, name)
		p.numbers[name] = *q.Port
	}
	return p
}

// String lists the ports for people: "http 8080, grpc 9090".
func (p *slicePorts) String() string {
	if len(p.names) == 0 {
		return "no port"
	}
	all := make([]string, 0, len(p.names))
	for _, name := range p.names {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %d", name, p.numbers[name])))
	}
	return strings.Join(all, ", ")
}

// dependsOnAll reports whether the port of an endpoint can be chosen only when the slices of all Services of its
// namespace are known.
func (c Config) dependsOnAll() bool {
	return c.Source == EndpointSlices && c.Service == "" && c.Port == 0 && c.PortName == ""
}

// certainCandidates returns what a part of the objects of a namespace suffices to know.
func (c Config) certainCandidates(some []*candidate) []*candidate {
	if c.dependsOnAll() {
		return nil
	}
	return some
}

// withPorts returns the candidates with the port that each listens on. By a selector several Services of a
// namespace may be found, such as one for clients and a headless one for peers, both with the same pods behind them:
//
//   - with port_name, a Service none of whose slices has that port is another one: it is left out and logged once;
//   - without a choice, Services whose ports differ are an error, for either could be the wrong one.
//
// A slice that lacks the port that other slices of its Service have is a mistake. Candidates that the error is about
// are left out.
func (r *resolver) withPorts(found []*candidate) ([]*candidate, error) {
	services := make(map[serviceKey][]*slicePorts)
	seen := make(map[*slicePorts]bool)
	for _, c := range found {
		if c.ports != nil && !seen[c.ports] {
			seen[c.ports] = true
			services[c.ports.service] = append(services[c.ports.service], c.ports)
		}
	}
	chosen, bad := r.choosePorts(services)
	kept := make([]*candidate, 0, len(found))
	for _, c := range found {
		if c.ports == nil {
			kept = append(kept, c)
			continue
		}
		if port := chosen[c.ports]; port != 0 {
			placed := *c // the store keeps the other one
			placed.port = port
			kept = append(kept, &placed)
		}
	}
	return kept, bad
}

// choosePorts chooses the port of every slice. Slices that are left out, or for which there is an error, have none.
func (r *resolver) choosePorts(services map[serviceKey][]*slicePorts) (map[*slicePorts]int, error) {
	byNamespace := make(map[string][]serviceKey)
	for key := range services {
		byNamespace[key.namespace] = append(byNamespace[key.namespace], key)
	}
	chosen := make(map[*slicePorts]int)
	var bad []error
	for namespace, keys := range byNamespace {
		slices.SortFunc(keys, func(a, b serviceKey) int { return cmp.Compare(a.name, b.name) })
		if r.config.dependsOnAll() && portsDiffer(keys, services) {
			bad = append(bad, errPortsDiffer(namespace, keys, services))
			continue
		}
		for _, key := range r.withPortName(keys, services) {
			for _, p := range services[key] {
				port, err := r.config.choosePort(p.of, p.names, p.numbers)
				if err != nil {
					bad = append(bad, err)
					continue
				}
				chosen[p] = port
			}
		}
	}
	slices.SortFunc(bad, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return chosen, firstOf(bad)
}

// withPortName returns the Services of a namespace that have the port named in the configuration: all of them when none has, because
// then the name is the mistake.
func (r *resolver) withPortName(keys []serviceKey, services map[serviceKey][]*slicePorts) []serviceKey {
	name := r.config.PortName
	if r.config.Service != "" || r.config.Port != 0 || name == "" {
		return keys
	}
	var with, without []serviceKey
	for _, key := range keys {
		if slices.ContainsFunc(services[key], func(p *slicePorts) bool { return slices.Contains(p.names, name) }) {
			with = append(with, key)
		} else {
			without = append(without, key)
		}
	}
	if len(with) == 0 {
		return keys
	}
	for _, key := range without {
		r.logLeftOut(key, services[key][0])
	}
	return with
}

// logLeftOut logs once that a Service is not the one of the peers.
func (r *resolver) logLeftOut(key serviceKey, has *slicePorts) {
	const phrase = "service left out: it has no port of this name"
	if r.logged.Allow(phrase+key.namespace+"/"+key.name, time.Now()) {
		r.env.Log.Info(phrase, "service", key.name, "namespace", key.namespace, "port_name", r.config.PortName, "ports", has.String())
	}
}

// portsDiffer reports whether several Services leave open which port is meant: the answer would be another one if one
// of them were missing.
func portsDiffer(keys []serviceKey, services map[serviceKey][]*slicePorts) bool {
	numbers := make(map[int64]bool)
	for _, key := range keys {
		for _, p := range services[key] {
			for _, n := range p.numbers {
				numbers[n] = true
			}
		}
	}
	return len(keys) > 1 && len(numbers) > 1
}

// maxServices bounds how many Services an error names.
const maxServices = 5

// errPortsDiffer is the error for Services whose ports differ.
func errPortsDiffer(namespace string, keys []serviceKey, services map[serviceKey][]*slicePorts) error {
	var names []string
	for _, key := range keys[:min(len(keys), maxServices)] {
		what := "service " + key.name
		if key.name == "" {
			what = services[key][0].of
		}
		names = append(names, fmt.Sprintf("%s (%v)", what, services[key][0]))
	}
	if more := len(keys) - maxServices; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return fmt.Errorf("namespace %s: the selector matches %s, and their ports differ; %w",
		namespace, strings.Join(names, " and "), errChoose)
}

var errChoose = errors.New("set service, port_name or port")
