package command

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write the golden files again")

const manifestFile = `cluster: Orders
node:
  name: ${POD_NAME}
  listen: 0.0.0.0:7946
  advertise: ${POD_IP}
topologies:
  near:
    strategy: kubernetes
    config:
      service: orders
      selector: tier=backend
      port_name: peers
  far:
    strategy: kubernetes
    config:
      service: orders
      namespaces: [quay, harbour]
      watch: false
  rollout:
    strategy: kubernetes
    config:
      source: pods
      selector: app=orders
      version: same
      version_label: pod-template-hash
      own_version: ${ORDERS_VERSION}
  laptop:
    strategy: kubernetes
    config: {service: orders, namespaces: [other], kubeconfig: /home/me/.kube/config}
  listed:
    strategy: static
    config: {hosts: ["${CONVOKE_TEST_HOST}:7946"]}
`

func TestManifestIsValidStableAndNoMoreThanNeeded(t *testing.T) {
	t.Setenv("CONVOKE_TEST_HOST", "10.0.0.1")
	file := write(t, "topology.yaml", manifestFile)
	got := convoke(t, "manifest", "-c", file, "-n", "shop", "--service-account", "cart", "--image", "registry.example/orders:1")
	if got.code != exitOK || got.stderr != "" {
		t.Fatalf("manifest = %+v, want exit code 0", got)
	}
	golden := filepath.Join("testdata", "manifest.golden.yaml")
	if *update {
		if err := os.WriteFile(golden, []byte(got.stdout), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.stdout); d != "" {
		t.Errorf("manifest (-want +got); -update writes it again:\n%s", d)
	}
	var kinds []string
	for _, doc := range documents(t, got.stdout) {
		kind, _ := doc["kind"].(string)
		meta, _ := doc["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		namespace, _ := meta["namespace"].(string)
		kinds = append(kinds, strings.Trim(kind+" "+namespace+"/"+name, " /"))
	}
	if d := cmp.Diff([]string{
		"ServiceAccount shop/cart",
		"Role shop/convoke-peers-endpointslices", "RoleBinding shop/convoke-peers-endpointslices",
		"Role quay/convoke-peers", "RoleBinding quay/convoke-peers",
		"Role harbour/convoke-peers", "RoleBinding harbour/convoke-peers",
		"Role shop/convoke-peers-pods", "RoleBinding shop/convoke-peers-pods",
		"Service shop/orders", "ConfigMap shop/orders-topology", "StatefulSet shop/orders",
		"PodDisruptionBudget shop/orders", "NetworkPolicy shop/orders",
	}, kinds); d != "" {
		t.Errorf("documents (-want +got):\n%s", d)
	}
}

func TestManifestPrintsOnePart(t *testing.T) {
	t.Setenv("CONVOKE_TEST_HOST", "10.0.0.1")
	file := write(t, "topology.yaml", manifestFile)
	all := convoke(t, "manifest", "-c", file).stdout
	var parts []string
	for _, part := range []string{"access", "service", "file", "workload", "policy"} {
		got := convoke(t, "manifest", "-c", file, "--only", part)
		if got.code != exitOK {
			t.Errorf("--only %s = %+v", part, got)
		}
		parts = append(parts, got.stdout)
	}
	for part, want := range map[string]string{"pod": "containerPort: 7946", "values": "portName: peers"} {
		if got := convoke(t, "manifest", "-c", file, "--only", part); got.code != exitOK || !strings.Contains(got.stdout, want) {
			t.Errorf("--only %s = %+v, want %s in it", part, got, want)
		}
	}
	if joined := strings.Join(parts, "---\n"); joined != all {
		t.Errorf("the parts differ from the whole:\n%s", cmp.Diff(all, joined))
	}
}

func TestManifestReportsWhatItCannotDo(t *testing.T) {
	const head = "cluster: orders\ntopologies:\n  pods:\n    strategy: "
	for _, c := range []struct {
		name, file string
		args       []string
		code       int
		want       string
	}{
		{"no topology for Kubernetes", head + "static\n    config: {hosts: ['10.0.0.1:1']}\n", nil, exitFailed,
			"no topology has strategy: kubernetes or kubernetes_dns and the quorum no birth by kubernetes, so nothing is needed; there are: pods (static)"},
		{"mistakes in the file", head + "kubernetes\n    config: {}\n", nil, exitFailed, "name the Service"},
		{"labels that cannot be set", head + "kubernetes\n    config: {selector: 'a in (b, c)'}\n", nil, exitFailed, "it is more than key=value"},
		{"two ports", head + "kubernetes\n    config: {service: orders, port: 9}\n", nil, exitFailed, "dialled at port 9, but node.listen has port 7946"},
		{"no such part", head + "kubernetes\n    config: {service: orders}\n", []string{"--only", "rbac"}, exitUsage, "want access, service, file, workload, policy, pod or values"},
		{"data in a Deployment", "node: {data_dir: /data}\n" + head + "kubernetes\n    config: {service: orders}\n", []string{"--workload", "Deployment"}, exitFailed,
			"the pods of a Deployment keep no data"},
		{"an unknown workload", head + "kubernetes\n    config: {service: orders}\n", []string{"--workload", "DaemonSet"}, exitFailed, "want StatefulSet or Deployment"},
		{"data over the file", "node: {data_dir: /etc/convoke/}\n" + head + "kubernetes\n    config: {service: orders}\n", nil, exitFailed, "take another directory"},
		{"certificates over the file", "node: {tls: {cert: /etc/convoke/a, key: /tls/b, ca: /tls/c}}\n" + head + "kubernetes\n    config: {service: orders}\n", nil, exitFailed,
			"take a directory of its own"},
		{"one port for two", "http: {listen: '0.0.0.0:7946'}\n" + head + "kubernetes\n    config: {service: orders}\n", nil, exitFailed, "have the same port 7946"},
		{"no name", head + "kubernetes\n    config: {service: orders}\n", []string{"-n", "Shop"}, exitFailed, `"Shop" is not a name`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := convoke(t, append([]string{"manifest", "-c", write(t, "t.yaml", c.file)}, c.args...)...)
			if got.code != c.code || !strings.Contains(got.stderr, c.want) || got.stdout != "" {
				t.Errorf("manifest = %+v, want exit code %d and %q", got, c.code, c.want)
			}
		})
	}
	if got := convoke(t, "manifest"); got.code != exitUsage || !strings.Contains(got.stderr, "no configuration file: add -c FILE") {
		t.Errorf("manifest without a file = %+v", got)
	}
}

// documents decodes a stream of YAML.
func documents(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var doc map[string]any
		switch err := d.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%v in:\n%s", err, text)
		}
		all = append(all, doc)
	}
}

func TestABirthByALeaseNeedsARoleForIt(t *testing.T) {
	file := write(t, "t.yaml", "cluster: orders\ntopologies: {peers: {strategy: static, config: {hosts: ['10.0.0.1:1']}}}\nquorum: {birth: {kubernetes: {}}}\n")
	got := convoke(t, "manifest", "-c", file, "-n", "shop", "--only", "access")
	for _, want := range []string{`resources: ["leases"]`, `apiGroups: ["coordination.k8s.io"]`, `namespace: "shop"`} {
		if got.code != exitOK || !strings.Contains(got.stdout, want) {
			t.Errorf("manifest = %+v, want %q", got, want)
		}
	}
	if !strings.Contains(got.stdout, "create") || !strings.Contains(got.stdout, "patch") {
		t.Errorf("manifest = %+v, want the verbs create and patch", got)
	}
}
