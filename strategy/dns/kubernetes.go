package dns

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/podenv"
)

// KubernetesKind registers the strategy as "kubernetes_dns".
var KubernetesKind = strategy.Kind[KubernetesConfig]{
	Name:    "kubernetes_dns",
	Doc:     "the pods of a headless Service, by the DNS of the cluster; needs no access to the API",
	Default: DefaultKubernetesConfig(),

	FormerNames: []string{"kubernetes_dns_srv"},
	FormerKeys: map[string]string{
		"polling_interval": "interval",
		"resolver":         "servers",
		"application_name": "leave it out; a peer is an address",
	},

	New: newKubernetes,
}

// newKubernetes makes the strategy. With a port name it asks for the SRV records of the Service, without for its
// addresses. Namespace and domain are found out when it runs.
func newKubernetes(c KubernetesConfig, env strategy.Env) (strategy.Strategy, error) {
	return newPoller(c.Source, env, false, func() *resolver {
		k := &clusterNames{config: c, log: env.Log, since: time.Now()}
		return &resolver{family: c.Family, subjects: k.serviceSubject, onAnswer: k.warnIfEmpty}
	}), nil
}

const (
	emptyWarnAfter = 30 * time.Second
)

// clusterNames is what a run knows of the cluster that it is in.
type clusterNames struct {
	config    KubernetesConfig
	log       hclog.Logger
	namespace string // once known

	guessed bool      // logged that the domain is a guess
	had     bool      // there were peers
	since   time.Time // without an answer that names a peer
	warned  bool      // logged that there is no peer
}

// serviceSubject returns the name of the Service.
func (k *clusterNames) serviceSubject(s resolverSetup) ([]subject, error) {
	if k.namespace == "" {
		ns, err := k.ownNamespace()
		if err != nil {
			return nil, err
		}
		k.namespace = ns
	}
	domain, found, err := k.findDomain(s.search)
	if err != nil {
		return nil, err
	}
	if !found && !k.guessed {
		k.guessed = true
		k.log.Warn("resolv.conf names no cluster domain, so it is guessed; set domain, or dnsPolicy: ClusterFirstWithHostNet", "domain", domain)
	}
	name := fmt.Sprintf("%s.%s.svc.%s.", k.config.Service, k.namespace, domain)
	if k.config.PortName == "" {
		return []subject{{kind: addresses, name: name, port: uint16(k.config.Port)}}, nil //nolint:gosec // Validate has seen it
	}
	name = fmt.Sprintf("_%s._%s.%s", k.config.PortName, k.config.Protocol, name)
	return []subject{{kind: services, name: name, podID: true}}, nil
}

// ownNamespace returns the namespace of this pod.
func (k *clusterNames) ownNamespace() (string, error) {
	if k.config.Namespace != "" {
		return k.config.Namespace, nil
	}
	ns, err := podenv.Namespace(k.config.ServiceAccount)
	if err != nil {
		return "", fmt.Errorf("own namespace: set namespace, or POD_NAMESPACE from the downward API: %w", err)
	}
	if !label.MatchString(ns) {
		return "", fmt.Errorf("own namespace: %q is not a valid namespace name; set namespace", ns)
	}
	return ns, nil
}

// findDomain returns the domain of the cluster and whether it was found: in the configuration, in the environment
// variable CLUSTER_DOMAIN, or by the kubelet in the search names of resolv.conf.
func (k *clusterNames) findDomain(search []string) (domain string, found bool, err error) {
	if d := k.config.Domain; d != "" {
		return strings.TrimSuffix(strings.ToLower(d), "."), true, nil
	}
	domain, found = podenv.ClusterDomain(search)
	if err := checkName(domain); err != nil {
		return "", false, fmt.Errorf("domain %q of the cluster: %w; correct CLUSTER_DOMAIN, or set domain", domain, err)
	}
	return domain, found, nil
}

// warnIfEmpty logs once what an absence of all pods may come from. While a cluster starts that is normal, as a pod is in
// the DNS when it is ready, or at once with publishNotReadyAddresses.
func (k *clusterNames) warnIfEmpty(f result) {
	switch {
	case len(f.peers) > 0:
		if k.warned {
			k.log.Info("the service has pods in dns")
		}
		k.had, k.warned, k.since = true, false, time.Now()
	case f.err == nil && !k.warned && time.Since(k.since) >= emptyWarnAfter:
		k.warned = true
		k.log.Warn("the service has no pods in dns: is it headless (clusterIP: None), does its selector match, "+
			"does it set publishNotReadyAddresses, does it have a port of that name?",
			slices.Concat([]any{"service", k.config.Service, "namespace", k.namespace}, k.portPair(), []any{"had_pods_before", k.had})...)
	}
}

func (k *clusterNames) portPair() []any {
	if k.config.PortName == "" {
		return nil
	}
	return []any{"port_name", k.config.PortName}
}
