package command

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/cluster"
	lease "github.com/goconvoke/convoke/quorum/kubernetes"
	"github.com/goconvoke/convoke/strategy/kubernetes"
)

// manifestFlags are the flags of manifest.
type manifestFlags struct{ config, namespace, account, app, only string }

// The parts that manifest prints, as --only names them.
const (
	partAccess  = "access"
	partService = "service"
	partPod     = "pod"
)

func newManifest() *cobra.Command {
	var f manifestFlags
	c := &cobra.Command{
		Use:   "manifest -c FILE",
		Short: "Print what Kubernetes needs for exactly this file",
		Long: `manifest prints what the kubernetes and kubernetes_dns topologies and the quorum of the file need, and no more: a service account
with Roles and RoleBindings, headless Services, and a patch for the pod template with environment, port and
readiness probe. Nothing is asked and nothing applied:

  convoke manifest -c FILE --only access | kubectl apply -f -
  convoke manifest -c FILE --only service | kubectl apply -f -
  convoke manifest -c FILE --only pod > patch.yaml; kubectl patch statefulset NAME --patch-file patch.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return printManifest(c.OutOrStdout(), f) },
	}
	configFlag(c, &f.config)
	c.Flags().StringVarP(&f.namespace, "namespace", "n", "default", "`namespace` of the pods")
	c.Flags().StringVar(&f.account, "service-account", "", "`name` of their service account; default: the cluster ID")
	c.Flags().StringVar(&f.app, "app", "", "`value` of their label app; default: the cluster ID")
	c.Flags().StringVar(&f.only, "only", "", "print one `part`: access, service or pod")
	return c
}

// printManifest reads the file and prints the parts.
func printManifest(w io.Writer, f manifestFlags) error {
	if f.only != "" && !slices.Contains([]string{partAccess, partService, partPod}, f.only) {
		return fmt.Errorf("--only %s: want %s, %s or %s", f.only, partAccess, partService, partPod)
	}
	if f.config == "" {
		return errNoFile
	}
	p := pod{namespace: f.namespace, account: f.account, app: f.app, versions: versionsOf(f.config)}
	options := inspectOptions(f.config)
	options.LookupEnv = p.lookupEnv
	config, err := cluster.Load(f.config, options)
	if err != nil {
		return failedError(err)
	}
	if err := p.collectNeeds(config); err != nil {
		return failedError(err)
	}
	_, err = io.WriteString(w, p.printManifest(f.only))
	return failedError(err)
}

// pod is what the pods of a configuration need.
type pod struct {
	namespace, account, app string
	versions                map[string]string // environment variable to the label that it is to hold

	asked    []string // environment variables that the file names, sorted
	port     int
	portName string
	grants   []kubernetes.Grant
	services []headless
}

// headless is a Service without an address of its own.
type headless struct {
	name    string
	labels  [][2]string // of the Service, for topologies that select by them
	unready bool        // its DNS names must list pods that are not ready
}

// downward are the environment variables that the downward API fills, with their fields.
var downward = map[string]string{
	"POD_NAME":      "metadata.name",
	"POD_NAMESPACE": "metadata.namespace",
	"POD_IP":        "status.podIP",
	"NODE_NAME":     "spec.nodeName",
}

// lookupEnv lends the file the environment that its pods will have, as far as it is known here.
func (p *pod) lookupEnv(name string) (string, bool) {
	if i, found := slices.BinarySearch(p.asked, name); !found {
		p.asked = slices.Insert(p.asked, i, name)
	}
	switch {
	case name == "POD_NAMESPACE":
		return p.namespace, true
	case name == "POD_IP":
		return "192.0.2.1", true // stands for an address; it is printed nowhere
	case downward[name] != "" || name == "HOSTNAME" || p.versions[name] != "":
		return "unknown", true
	}
	return os.LookupEnv(name)
}

// collectNeeds collects what a configuration needs.
func (p *pod) collectNeeds(config *cluster.Config) error {
	for _, name := range []*string{&p.account, &p.app} {
		if *name == "" {
			*name = objectName(config.Node.Cluster)
		}
	}
	for _, name := range []string{p.namespace, p.account, p.app} {
		if !validName.MatchString(name) {
			return fmt.Errorf("%q is no name that Kubernetes takes: want letters, digits and dashes", name)
		}
	}
	p.port, p.portName = listenPort(config.Node.Listen), "gossip"
	found := false
	var others []string
	for _, t := range config.Topologies {
		switch c := t.Config.Config.(type) {
		case kubernetes.Config:
			found = true
			if err := p.takeAPI(t.Name, c); err != nil {
				return err
			}
		default:
			if t.Strategy != dnsKind {
				others = append(others, t.Name+" ("+t.Strategy+")")
				continue
			}
			found = true
			if err := p.takeDNS(t.Name, c); err != nil {
				return err
			}
		}
	}
	if p.takeBirth(config) {
		found = true
	}
	if !found {
		return fmt.Errorf("no topology has strategy: kubernetes or %s and the quorum no birth by kubernetes, so nothing is needed; there are: %s", dnsKind, strings.Join(others, ", "))
	}
	return nil
}

// takeBirth collects what the founding of the quorum by a Lease needs, and reports whether there is one.
func (p *pod) takeBirth(config *cluster.Config) bool {
	q := config.Quorum
	if q == nil || q.Birth.Kubernetes == nil {
		return false
	}
	ns := cmp.Or(q.Birth.Kubernetes.Namespace, p.namespace)
	p.addGrant(kubernetes.Grant{Namespace: ns, Group: "coordination.k8s.io", Resource: "leases", Verbs: lease.Verbs})
	return true
}

// takeAPI collects what a topology needs that asks the API server.
func (p *pod) takeAPI(topology string, c kubernetes.Config) error {
	if c.Kubeconfig == "" { // whom a kubeconfig names is not a matter of the pod
		for _, g := range c.Grants(p.namespace) {
			p.addGrant(g)
		}
	}
	if err := p.takePort(topology, c.Port, c.PortName); err != nil {
		return err
	}
	own := len(c.Namespaces) == 0 || slices.Contains(c.Namespaces, p.namespace)
	if c.Source != kubernetes.EndpointSlices || !own {
		return nil
	}
	labels, err := equalityLabels(c.Selector)
	if err != nil {
		return fmt.Errorf("topology %s: a Service for selector %q: %w", topology, c.Selector, err)
	}
	name := c.Service
	if name == "" {
		name = p.app
	}
	p.addService(headless{name: name, labels: labels})
	return nil
}

// dnsKind is the strategy that asks the DNS of a cluster.
const dnsKind = "kubernetes_dns"

// takeDNS collects what a topology needs that asks the DNS.
func (p *pod) takeDNS(topology string, config any) error {
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
	if c.Namespace != "" && c.Namespace != p.namespace {
		return nil // the Service of another workload
	}
	if !validName.MatchString(c.Service) {
		return fmt.Errorf("topology %s: %q is no name of a Service", topology, c.Service)
	}
	if err := p.takePort(topology, c.Port, c.PortName); err != nil {
		return err
	}
	p.addService(headless{name: c.Service, unready: true})
	return nil
}

// takePort takes the port that peers are dialled at.
func (p *pod) takePort(topology string, port int, name string) error {
	if name != "" {
		p.portName = name
	}
	if port != 0 && port != p.port {
		return fmt.Errorf("topology %s: peers are dialled at port %d, but node.listen has port %d", topology, port, p.port)
	}
	return nil
}

// addGrant adds a grant; several of one namespace and resource are one.
func (p *pod) addGrant(g kubernetes.Grant) {
	for i, old := range p.grants {
		if old.Namespace == g.Namespace && old.Resource == g.Resource {
			if len(g.Verbs) > len(old.Verbs) {
				p.grants[i] = g
			}
			return
		}
	}
	p.grants = append(p.grants, g)
}

// addService adds a Service; several of one name are one.
func (p *pod) addService(s headless) {
	for i := range p.services {
		old := &p.services[i]
		if old.name != s.name {
			continue
		}
		old.unready = old.unready || s.unready
		for _, l := range s.labels {
			if !slices.Contains(old.labels, l) {
				old.labels = append(old.labels, l)
			}
		}
		return
	}
	p.services = append(p.services, s)
}

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// objectName makes a name that Kubernetes takes.
func objectName(s string) string {
	s = regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(s), "-")
	return strings.Trim(s[:min(len(s), 63)], "-")
}

const defaultPort = 7946

// listenPort returns the port of host:port, the default if it is chosen at the start.
func listenPort(listen string) int {
	_, port, err := net.SplitHostPort(listen)
	if n, bad := strconv.Atoi(port); err == nil && bad == nil && n > 0 {
		return n
	}
	return defaultPort
}

// equalityLabels takes a selector apart that consists of a=b alone: these are labels one can set.
func equalityLabels(selector string) ([][2]string, error) {
	if selector == "" {
		return nil, nil
	}
	var all [][2]string
	for term := range strings.SplitSeq(selector, ",") {
		key, value, ok := strings.Cut(term, "=")
		if !ok || strings.ContainsAny(key, "! ()") {
			return nil, errors.New("it is more than key=value,…; name the Service in its configuration")
		}
		all = append(all, [2]string{key, strings.TrimPrefix(value, "=")})
	}
	return all, nil
}

// wholeVariable is a value that consists of one environment variable.
var wholeVariable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// versionsOf returns the environment variables in which a file expects the version of the pod, with the label that
// has it; what is wrong with the file is reported by cluster.Load.
func versionsOf(path string) map[string]string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var loose struct {
		Topologies map[string]struct{ Config yaml.Node }
	}
	if yaml.NewDecoder(io.LimitReader(f, maxConfig)).Decode(&loose) != nil {
		return nil
	}
	found := make(map[string]string)
	for _, t := range loose.Topologies {
		var c struct {
			Own   string `yaml:"own_version"`
			Label string `yaml:"version_label"`
		}
		if t.Config.Kind != yaml.MappingNode || t.Config.Decode(&c) != nil {
			continue
		}
		if m := wholeVariable.FindStringSubmatch(c.Own); m != nil && c.Label != "" {
			found[m[1]] = c.Label
		}
	}
	return found
}
