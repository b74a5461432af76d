// Package podenv returns what a pod of Kubernetes knows of itself and of its cluster, from the files that the kubelet mounts
// and the variables of the downward API.
package podenv

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/goconvoke/convoke/internal/bounded"
	"github.com/goconvoke/convoke/peer"
)

const (
	// ServiceAccount is the directory in which the kubelet puts the files of the service account.
	ServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"
	// DefaultDomain is the domain of a cluster that was set up without choosing another.
	DefaultDomain = "cluster.local"

	maxNamespace = 4 << 10 // bytes of the file
)

// Namespace returns the namespace of this pod: what the file of that name in the directory of a service account holds, else
// the environment variable POD_NAMESPACE.
func Namespace(serviceAccount string) (string, error) {
	path := filepath.Join(serviceAccount, "namespace")
	data, err := bounded.ReadFile(path, maxNamespace)
	if ns := strings.TrimSpace(string(data)); ns != "" {
		return ns, nil
	}
	if ns := os.Getenv("POD_NAMESPACE"); ns != "" {
		return ns, nil
	}
	if err == nil {
		err = errors.New(path + " is empty")
	}
	return "", err
}

// ClusterDomain returns the domain of the cluster without dots at its ends, in lower case: the environment variable
// CLUSTER_DOMAIN, else what the kubelet wrote among the search names of resolv.conf. found is false for [DefaultDomain].
func ClusterDomain(search []string) (domain string, found bool) {
	if d := strings.Trim(os.Getenv("CLUSTER_DOMAIN"), ". "); d != "" {
		return strings.ToLower(d), true
	}
	for _, suffix := range search {
		if d, ok := strings.CutPrefix(strings.ToLower(strings.TrimSuffix(suffix, ".")), "svc."); ok && d != "" {
			return d, true
		}
	}
	return DefaultDomain, false
}

// PrefersIPv6 reports whether the first known address of this node is one of IPv6: among its own addresses, names and
// unspecified ones left out, else in the environment variable POD_IP.
func PrefersIPv6(self []peer.Peer) bool {
	for _, p := range self {
		host, _, err := net.SplitHostPort(p.Addr)
		if err != nil {
			continue
		}
		if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
			return ip.Unmap().Is6()
		}
	}
	ip, err := netip.ParseAddr(os.Getenv("POD_IP"))
	return err == nil && !ip.IsUnspecified() && ip.Unmap().Is6()
}
