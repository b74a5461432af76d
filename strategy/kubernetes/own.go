package kubernetes

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// What a pod knows of itself and of its cluster.

const (
	maxOwnFile    = 1 << 20 // bytes of a token, a CA bundle, a resolv.conf
	resolvConf    = "/etc/resolv.conf"
	defaultDomain = "cluster.local"
)

// ownNamespace returns the namespace that the files of the service account name, or the
// environment variable POD_NAMESPACE.
func ownNamespace(serviceAccount string) (string, error) {
	data, err := readFile(filepath.Join(serviceAccount, "namespace"))
	if ns := strings.TrimSpace(string(data)); err == nil && ns != "" {
		return ns, nil
	}
	if ns := os.Getenv("POD_NAMESPACE"); ns != "" {
		return ns, nil
	}
	if err == nil {
		err = errors.New("the file is empty")
	}
	return "", fmt.Errorf("own namespace: set namespaces, or POD_NAMESPACE from the downward API: %w", err)
}

// clusterDomain returns the domain of the cluster: the environment variable CLUSTER_DOMAIN, what the kubelet
// wrote into resolv.conf, or cluster.local.
func clusterDomain(resolv string) string {
	if d := strings.Trim(os.Getenv("CLUSTER_DOMAIN"), ". "); d != "" {
		return d
	}
	data, _ := readFile(resolv) // none is as good as one without the line
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "search" {
			continue
		}
		for _, w := range words[1:] {
			if d, ok := strings.CutPrefix(strings.TrimSuffix(w, "."), "svc."); ok && d != "" {
				return d
			}
		}
	}
	return defaultDomain
}

// prefersIPv6 reports whether addresses of IPv6 are to be taken where there is a choice.
func (f *finder) prefersIPv6() bool {
	switch f.config.Family {
	case IPv4:
		return false
	case IPv6:
		return true
	}
	for _, self := range f.env.Self() {
		host, _, err := net.SplitHostPort(self.Addr)
		if err != nil {
			continue
		}
		if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
			return ip.Unmap().Is6()
		}
	}
	ip, err := netip.ParseAddr(os.Getenv("POD_IP"))
	return err == nil && ip.Unmap().Is6()
}

// readFile reads a file of at most maxOwnFile bytes.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxOwnFile || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file of at most %d bytes", path, maxOwnFile)
	}
	return os.ReadFile(path)
}
