package kubernetes

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/podenv"
)

// Source names the objects that peers are read from.
type Source string

// The sources.
const (
	EndpointSlices Source = "endpointslices" // of a Service; they hold addresses, ports and zones
	Pods           Source = "pods"           // without a Service; needs the right to read whole pods
)

// Mode selects what becomes the host of a peer's address.
type Mode string

// The modes.
const (
	IP       Mode = "ip"       // the address of the pod
	Hostname Mode = "hostname" // <pod>.<service>.<namespace>.svc.<domain>, of StatefulSets
	DNS      Mode = "dns"      // <dashed address>.<namespace>.pod.<domain>
)

// State is the state of an endpoint or pod, as far as it matters here.
type State string

// The states. A terminating pod is in that state alone, whether ready or not.
const (
	Ready       State = "ready"
	NotReady    State = "not_ready"
	Terminating State = "terminating"
)

// Family is a family of addresses.
type Family string

// The families. Each is a preference: an endpoint without an address of it is taken with the other.
const (
	SameFamily Family = "same" // as this node's own address; IPv4 while that is unknown
	IPv4       Family = "ipv4"
	IPv6       Family = "ipv6"
)

// Config is where the peers are found and how they are addressed.
type Config struct {
	Service       string `yaml:"service"`        // name of a Service; of source endpointslices
	Selector      string `yaml:"selector"`       // label selector, of slices (they carry the labels of their Service) or pods
	FieldSelector string `yaml:"field_selector"` // narrows pods further, on the side of the API server
	Source        Source `yaml:"source"`

	Namespaces []string `yaml:"namespaces"` // none means the own one
	Include    []State  `yaml:"include"`    // at least one
	Container  string   `yaml:"container"`  // of a pod; one that waits (to be restarted) keeps the pod out; "" means the first

	Port     int    `yaml:"port"`      // 1..65535; 0 means the port of the slice or the container
	PortName string `yaml:"port_name"` // which one, where there are several
	Mode     Mode   `yaml:"mode"`
	Family   Family `yaml:"family"`
	Domain   string `yaml:"domain"` // of the cluster, for hostname and dns; "" means: find out

	Name string `yaml:"name"` // template of Peer.ID; "" means {name}, in several namespaces {name}.{namespace}

	strategy.VersionConfig `yaml:",inline"` // the label is one of the slice or pod

	Watch  bool          `yaml:"watch"`  // false polls each interval
	Relist time.Duration `yaml:"relist"` // a watch is started again after this, ±20 %; 1m to 24h

	strategy.PollConfig `yaml:",inline"` // interval without watch; timeout of a list in either case

	Kubeconfig     string `yaml:"kubeconfig"`      // file for outside of a cluster; "" means the service account
	Context        string `yaml:"context"`         // in the kubeconfig; "" means its current one
	API            string `yaml:"api"`             // https://host:port; "" means KUBERNETES_SERVICE_HOST and _PORT
	ServiceAccount string `yaml:"service_account"` // directory with token, ca.crt and namespace
	Insecure       bool   `yaml:"insecure"`        // does not verify the API server: any server that answers gets the token
}

// DefaultConfig watches slices, of pods ready or not, in the own namespace. It names no Service.
func DefaultConfig() Config {
	return Config{
		Source:         EndpointSlices,
		Include:        []State{Ready, NotReady},
		Mode:           IP,
		Family:         SameFamily,
		VersionConfig:  strategy.DefaultVersion(),
		Watch:          true,
		Relist:         10 * time.Minute,
		PollConfig:     strategy.PollConfig{Interval: 10 * time.Second, Timeout: 10 * time.Second},
		ServiceAccount: podenv.ServiceAccount,
	}
}

// Validate reports what cannot work, all of it.
func (c Config) Validate() error {
	errs := []error{c.PollConfig.Validate(), c.VersionConfig.Validate()}
	bad := func(key, format string, args ...any) {
		errs = append(errs, strategy.At(key, fmt.Errorf(format, args...)))
	}
	oneOf(bad, "source", c.Source, EndpointSlices, Pods)
	oneOf(bad, "mode", c.Mode, IP, Hostname, DNS)
	oneOf(bad, "family", c.Family, SameFamily, IPv4, IPv6)
	for i, s := range c.Include {
		oneOf(bad, fmt.Sprintf("include[%d]", i), s, Ready, NotReady, Terminating)
	}
	if len(c.Include) == 0 {
		bad("include", "no peer would be found; want some of %s, %s, %s", Ready, NotReady, Terminating)
	}
	if c.Port < 0 || c.Port > 65535 {
		bad("port", "%d is not in 1..65535, nor 0 for that of the slice or container", c.Port)
	}
	if c.Relist < time.Minute || c.Relist > 24*time.Hour {
		bad("relist", "%v is not in 1m..24h", c.Relist)
	}
	if _, err := parseTemplate(c.Name); err != nil {
		bad("name", "%w", err)
	}
	c.validateSelection(bad)
	c.validateNames(bad)
	c.validateAccess(bad)
	return errors.Join(errs...)
}

type addError func(key, format string, args ...any)

func oneOf[T ~string](bad addError, key string, got T, want ...T) {
	if slices.Contains(want, got) {
		return
	}
	names := make([]string, 0, len(want))
	for _, w := range want {
		names = append(names, string(w))
	}
	bad(key, "%q is unknown; want %s", string(got), strings.Join(names, ", "))
}

func (c Config) validateSelection(bad addError) {
	switch {
	case c.Source == Pods && c.Service != "":
		bad("service", "pods are found by their labels: set selector, or source: %s", EndpointSlices)
	case c.Source == Pods && c.Selector == "" && c.FieldSelector == "":
		bad("selector", "name the pods, such as app=orders")
	case c.Source == EndpointSlices && c.Service == "" && c.Selector == "":
		bad("service", "name the Service whose endpoints are the peers (or set selector)")
	}
	if c.Source == EndpointSlices && c.FieldSelector != "" {
		bad("field_selector", "slices have no fields to select by; it is for source: %s", Pods)
	}
	if c.Source == EndpointSlices && c.Container != "" {
		bad("container", "slices do not name containers; it is for source: %s", Pods)
	}
	if _, err := labels.Parse(c.Selector); err != nil {
		bad("selector", "%w", err)
	}
	if _, err := fields.ParseSelector(c.FieldSelector); err != nil {
		bad("field_selector", "%w", err)
	}
}

// dnsLabel is what Kubernetes allows as the name of a namespace or a Service.
var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (c Config) validateNames(bad addError) {
	if c.Service != "" && !dnsLabel.MatchString(c.Service) {
		bad("service", "%q is not a valid Service name", c.Service)
	}
	for i, ns := range c.Namespaces {
		key := fmt.Sprintf("namespaces[%d]", i)
		switch {
		case !dnsLabel.MatchString(ns):
			bad(key, "%q is not a valid namespace name", ns)
		case slices.Contains(c.Namespaces[:i], ns):
			bad(key, "%q is listed twice", ns)
		}
	}
	if c.Domain != "" {
		for part := range strings.SplitSeq(strings.TrimSuffix(c.Domain, "."), ".") {
			if !dnsLabel.MatchString(part) {
				bad("domain", "%q is not a domain, such as cluster.local", c.Domain)
				break
			}
		}
	}
}

func (c Config) validateAccess(bad addError) {
	if c.Context != "" && c.Kubeconfig == "" {
		bad("context", "a context stands in a kubeconfig; name that too")
	}
	if c.Kubeconfig != "" && c.API != "" {
		bad("api", "the kubeconfig names the API server already")
	}
	if c.API != "" && !apiURL.MatchString(c.API) {
		bad("api", "%q is not https://host:port", c.API)
	}
	if c.Kubeconfig == "" && c.ServiceAccount == "" {
		bad("service_account", "name the directory with token and ca.crt, or a kubeconfig")
	}
}

var apiURL = regexp.MustCompile(`^https://[^/?#@\s]+/?$`)

// includes reports whether endpoints in this state are peers.
func (c Config) includes(s State) bool { return slices.Contains(c.Include, s) }

// labelSelector returns what the API server is to select by.
func (c Config) labelSelector() string {
	if c.Service == "" {
		return c.Selector
	}
	selector := serviceLabel + "=" + c.Service
	if c.Selector != "" {
		selector += "," + c.Selector
	}
	return selector
}
