package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/cluster"
	lease "github.com/goconvoke/convoke/quorum/kubernetes"
	"github.com/goconvoke/convoke/strategy/kubernetes"
)

// needs are what the pods of a configuration need.
type needs struct {
	Values

	account  string            // as asked for
	versions map[string]string // environment variable to the label that it is to hold
	asked    []string          // environment variables that the file names, sorted
}

// collect collects what a configuration needs.
func (n *needs) collect(config *cluster.Config) error {
	for _, name := range []*string{&n.Name, &n.account} {
		if *name == "" {
			*name = objectName(config.Node.Cluster)
		}
	}
	if err := n.takeNode(config); err != nil {
		return err
	}
	found := false
	var others []string
	for _, t := range config.Topologies {
		var err error
		switch c := t.Config.Config.(type) {
		case kubernetes.Config:
			found = true
			err = n.takeAPI(t.Name, c)
		default:
			if t.Strategy == dnsKind {
				found = true
				err = n.takeDNS(t.Name, c)
				break
			}
			others = append(others, t.Name+" ("+t.Strategy+")")
		}
		if err != nil {
			return err
		}
	}
	if !n.takeBirth(config) && !found {
		return fmt.Errorf("no topology has strategy: kubernetes or %s and the quorum no birth by kubernetes, so nothing is needed; there are: %s", dnsKind, strings.Join(others, ", "))
	}
	n.PeersAnywhere = n.PeersAnywhere || len(others) > 0
	if n.ServiceName = n.Name; len(n.Services) > 0 {
		n.ServiceName = n.Services[0].Name
	}
	n.takeEnv()
	if len(n.Access) > 0 {
		n.Account = n.account
	}
	n.nameAccess()
	n.SecretTopology = hasKeys(n.Topology)
	return nil
}

// takeBirth collects what the founding of the quorum by a Lease needs, and reports whether there is one.
func (n *needs) takeBirth(config *cluster.Config) bool {
	q := config.Quorum
	if q == nil || q.Birth.Kubernetes == nil {
		return false
	}
	namespace := cmp.Or(q.Birth.Kubernetes.Namespace, n.namespace)
	n.addGrant(kubernetes.Grant{Namespace: namespace, Group: "coordination.k8s.io", Resource: "leases", Verbs: lease.Verbs})
	return true
}

// takeAPI collects what a topology needs that queries the API server.
func (n *needs) takeAPI(topology string, c kubernetes.Config) error {
	if c.Kubeconfig != "" { // whom a kubeconfig names is not a matter of the pod
		n.PeersAnywhere = true
	} else {
		for _, g := range c.Grants(n.namespace) {
			n.addGrant(g)
			n.addNamespace(g.Namespace)
		}
	}
	if err := n.takePort(topology, c.Port, c.PortName); err != nil {
		return err
	}
	own := len(c.Namespaces) == 0 || slices.Contains(c.Namespaces, n.namespace)
	if c.Source != kubernetes.EndpointSlices || !own {
		return nil
	}
	labels, err := equalityLabels(c.Selector)
	if err != nil {
		return fmt.Errorf("topology %s: a Service for selector %q: %w", topology, c.Selector, err)
	}
	name := c.Service
	if name == "" {
		name = n.Name
	}
	n.addService(Service{Name: name, Labels: labels})
	return nil
}

// dnsKind is the strategy that queries the DNS of a cluster.
const dnsKind = "kubernetes_dns"

// takeDNS collects what a topology needs that queries the DNS.
func (n *needs) takeDNS(topology string, config any) error {
	var c struct {
		Service   string `yaml:"service"`
		Namespace string `yaml:"namespace"`
		Port      int    `yaml:"port"`
		PortName  string `yaml:"port_name"`
	}
	raw, err := yaml.Marshal(config)
	if err == nil {
		err = yaml.Unmarshal(raw, &c)
	}
	if err != nil {
		return fmt.Errorf("topology %s: %w", topology, err)
	}
	if c.Namespace != "" && c.Namespace != n.namespace {
		n.addNamespace(c.Namespace)
		return nil // the Service of another workload
	}
	if !validName.MatchString(c.Service) {
		return fmt.Errorf("topology %s: %q is not the name of a Service", topology, c.Service)
	}
	if err := n.takePort(topology, c.Port, c.PortName); err != nil {
		return err
	}
	n.addService(Service{Name: c.Service, Unready: true, Labels: []Label{}})
	return nil
}

// takePort takes the port that peers are dialled at.
func (n *needs) takePort(topology string, port int, name string) error {
	if name != "" {
		n.PortName = name
	}
	if port != 0 && port != n.Port {
		return fmt.Errorf("topology %s: peers are dialled at port %d, but node.listen has port %d", topology, port, n.Port)
	}
	return nil
}
