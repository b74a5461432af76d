package dns

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/podenv"
)

// KubernetesConfig names a headless Service.
type KubernetesConfig struct {
	Service   string `yaml:"service"`   // required
	Namespace string `yaml:"namespace"` // "" means the own one
	PortName  string `yaml:"port_name"` // name of a port of the Service: asks for SRV records, which hold ports and pod names
	Protocol  string `yaml:"protocol"`  // of that port: tcp or udp
	Port      int    `yaml:"port"`      // without PortName: of every pod, 1..65535
	Domain    string `yaml:"domain"`    // of the cluster; "" means: find out
	Family    Family `yaml:"family"`    // not any: of a pod one address is enough

	// ServiceAccount is the directory whose file "namespace" holds the own namespace.
	ServiceAccount string `yaml:"service_account"`

	Source `yaml:",inline"`
}

// DefaultKubernetesConfig asks the servers of the pod, every 5 s, in the own namespace. It names no Service.
func DefaultKubernetesConfig() KubernetesConfig {
	return KubernetesConfig{
		Protocol: "tcp", Family: SameFamily, ServiceAccount: podenv.ServiceAccount,
		Source: defaultSource(),
	}
}

// label is a name as Kubernetes gives it to namespaces, Services and ports.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Validate reports every setting that cannot work.
func (c KubernetesConfig) Validate() error {
	errs := []error{c.Source.Validate(), checkPort(c.Port), checkFamily(c.Family, SameFamily, IPv4, IPv6)}
	bad := func(key, format string, args ...any) {
		errs = append(errs, strategy.At(key, fmt.Errorf(format, args...)))
	}
	switch {
	case c.Service == "":
		bad("service", "name the headless Service")
	case !label.MatchString(c.Service):
		bad("service", "%q is not a valid Service name; want letters a-z, digits and hyphens alone", c.Service)
	}
	if c.Namespace != "" && !label.MatchString(c.Namespace) {
		bad("namespace", "%q is not a valid namespace name; want letters a-z, digits and hyphens alone", c.Namespace)
	}
	if c.PortName != "" && !label.MatchString(c.PortName) {
		bad("port_name", "%q is not a valid port name; want letters a-z, digits and hyphens alone", c.PortName)
	}
	if c.Protocol != "tcp" && c.Protocol != "udp" {
		bad("protocol", "%q is neither tcp nor udp", c.Protocol)
	}
	switch {
	case c.PortName == "" && c.Port == 0:
		bad("port_name", "set the name of a port of the Service, or port")
	case c.PortName != "" && c.Port != 0:
		bad("port", "port_name is set too; the port comes with it")
	}
	if c.Domain != "" {
		if err := checkName(strings.ToLower(c.Domain)); err != nil {
			bad("domain", "%q: %w", c.Domain, err)
		}
	}
	if c.ServiceAccount == "" {
		bad("service_account", "name the directory with the file namespace, /var/run/secrets/kubernetes.io/serviceaccount in a pod")
	}
	return errors.Join(errs...)
}
