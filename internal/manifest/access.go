package manifest

import (
	"slices"

	"github.com/goconvoke/convoke/strategy/kubernetes"
)

// addGrant adds a grant; several of one namespace and resource are one.
func (n *needs) addGrant(g kubernetes.Grant) {
	if g.Namespace == n.namespace {
		g.Namespace = ""
	}
	for i, old := range n.Access {
		if old.Namespace == g.Namespace && old.Resource == g.Resource {
			if len(g.Verbs) > len(old.Verbs) {
				n.Access[i].Verbs = g.Verbs
			}
			return
		}
	}
	n.Access = append(n.Access, Access{Namespace: g.Namespace, Group: g.Group, Resource: g.Resource, Verbs: g.Verbs})
}

// nameAccess names the Roles, each for itself where a namespace has several.
func (n *needs) nameAccess() {
	for i, a := range n.Access {
		name := kubernetes.GrantName
		if slices.ContainsFunc(n.Access, func(other Access) bool { return other.Namespace == a.Namespace && other.Resource != a.Resource }) {
			name += "-" + a.Resource
		}
		n.Access[i].Name = name
	}
}

// addNamespace adds a namespace from which peers call.
func (n *needs) addNamespace(name string) {
	if name != n.namespace && !slices.Contains(n.PeerNamespaces, Namespace{name}) {
		n.PeerNamespaces = append(n.PeerNamespaces, Namespace{name})
	}
}

// addService adds a Service; several of one name are one.
func (n *needs) addService(s Service) {
	for i := range n.Services {
		old := &n.Services[i]
		if old.Name != s.Name {
			continue
		}
		old.Unready = old.Unready || s.Unready
		for _, l := range s.Labels {
			if !slices.Contains(old.Labels, l) {
				old.Labels = append(old.Labels, l)
			}
		}
		return
	}
	n.Services = append(n.Services, s)
}
