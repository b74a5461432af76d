// Package manifest prints what Kubernetes needs for the nodes of one topology file: as objects, as a base for kustomize and as a Helm chart,
// all of them from the same code. What differs between files are [Values]; [Collect] derives them.
package manifest

import (
	"cmp"
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
)

// Kinds of workloads.
const (
	stable          = "StatefulSet" // pods that keep their names and volumes
	interchangeable = "Deployment"
)

// Options are what the file does not have. Empty ones get a default.
type Options struct {
	Namespace string // of the pods; required
	Account   string // service account; the name of the objects by default
	App       string // the name of the objects; the cluster ID by default
	Image     string
	Kind      string // StatefulSet or Deployment
	Replicas  int    // 0 means the greatest expect of the topologies, or 3
	Storage   string // size of the volume for node.data_dir
}

// Collect reads the file at path and returns what its nodes need. The file sees the environment of a pod, as far as that is known here, and of
// this process.
func Collect(file string, load cluster.LoadOptions, o Options) (*Values, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, err
	}
	n := needs{Values: defaults(o), versions: versionsOf(text), account: o.Account}
	load.LookupEnv = n.lookupEnv
	config, err := cluster.Parse(file, text, load)
	if err != nil {
		return nil, err
	}
	n.Topology = string(text)
	if err := n.collect(config); err != nil {
		return nil, err
	}
	return &n.Values, n.check()
}

func defaults(o Options) Values {
	return Values{
		namespace: o.Namespace, Name: o.App, Image: o.Image, Kind: o.Kind, Replicas: o.Replicas, Storage: o.Storage,
		PortName: "gossip", CPU: "50m", Memory: "64Mi", MemoryLimit: "256Mi",
		Access: []Access{}, Services: []Service{}, Env: []Env{}, SecretEnv: []SecretEnv{}, SecretDirs: []SecretDir{}, PeerNamespaces: []Namespace{},
	}
}

// check reports names that Kubernetes does not take, and what cannot be together.
func (n *needs) check() error {
	for _, name := range []string{n.namespace, n.account, n.Name} {
		if !validName.MatchString(name) {
			return fmt.Errorf("%q is not a name that Kubernetes takes: want letters, digits and dashes", name)
		}
	}
	switch {
	case n.Kind != stable && n.Kind != interchangeable:
		return fmt.Errorf("workload %q: want %s or %s", n.Kind, stable, interchangeable)
	case n.Kind == interchangeable && n.DataDir != "":
		return fmt.Errorf("node.data_dir is given, and the pods of a %s keep no data: take a %s", interchangeable, stable)
	case slices.Contains([]string{fileDir, runtimeDir, "/"}, path.Clean(n.DataDir)):
		return fmt.Errorf("node.data_dir %s: the pods have something else there; take another directory", n.DataDir)
	}
	return nil
}

// takeNode takes what the node itself needs.
func (n *needs) takeNode(config *cluster.Config) error {
	n.Port = listenPort(config.Node.Listen)
	n.DataDir = config.Node.DataDir
	if config.HTTP != nil {
		n.HTTP = reachablePort(config.HTTP.Listen)
	}
	if n.HTTP == n.Port {
		return fmt.Errorf("node.listen and http.listen have the same port %d", n.Port)
	}
	expect := 0
	for _, t := range config.Topologies {
		n.UDP = n.UDP || t.Connector != "" && t.Connector != "gossip"
		expect = max(expect, t.Expect)
	}
	n.Replicas = cmp.Or(n.Replicas, expect, 3)
	return n.takeFiles(config.Node.TLS)
}

// takeFiles takes the directories that have certificates and keys.
func (n *needs) takeFiles(tls connector.TLS) error {
	for _, file := range []string{tls.Cert, tls.Key, tls.CA} {
		if file == "" {
			continue
		}
		dir := path.Dir(file)
		switch {
		case !path.IsAbs(file):
			return fmt.Errorf("node.tls: %s is relative: want the path in the container", file)
		case dir == fileDir || dir == runtimeDir || dir == "/":
			return fmt.Errorf("node.tls: %s: the pods have something else in %s; take a directory of its own", file, dir)
		case slices.ContainsFunc(n.SecretDirs, func(d SecretDir) bool { return d.Dir == dir }):
			continue
		}
		secret := n.Name + "-tls"
		if len(n.SecretDirs) > 0 {
			secret += "-" + strconv.Itoa(len(n.SecretDirs)+1)
		}
		n.SecretDirs = append(n.SecretDirs, SecretDir{dir, secret})
	}
	return nil
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

// reachablePort returns the port of host:port, 0 if a kubelet cannot reach it: it calls the address of the pod.
func reachablePort(listen string) int {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || host == "localhost" || ip != nil && ip.IsLoopback() {
		return 0
	}
	n, _ := strconv.Atoi(port) // a port that is chosen at the start is 0 too
	return n
}
