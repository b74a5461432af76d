package manifest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/strategy/builtin"
	"github.com/goconvoke/convoke/strategy/kubernetes"
)

const found = "topologies: {pods: {strategy: kubernetes, expect: 5, config: {service: orders}}}\n"

// collect derives the values of a file in namespace shop.
func collect(t *testing.T, text string) *Values {
	t.Helper()
	path := filepath.Join(t.TempDir(), "topology.yaml")
	if err := os.WriteFile(path, []byte("cluster: Orders\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := Collect(path, cluster.LoadOptions{Strategies: builtin.Registry()}, Options{Namespace: "shop", Image: "orders:1", Kind: stable, Storage: "2Gi"})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// print returns one part, or all.
func (v *Values) print(t *testing.T, only string) string {
	t.Helper()
	text, err := v.Print(only)
	if err != nil {
		t.Fatal(err)
	}
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var doc map[string]any
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return text
		} else if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
	}
}

// has fails the test unless a text holds all of these.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

func TestRolesAreThoseThatTheStrategyLogs(t *testing.T) {
	v := collect(t, "topologies: {pods: {strategy: kubernetes, config: {service: orders, namespaces: [shop, quay]}}}\n")
	var want []string
	for _, g := range (kubernetes.Config{Namespaces: []string{"shop", "quay"}, Watch: true, Source: kubernetes.EndpointSlices}).Grants("shop") {
		want = append(want, g.Manifest(kubernetes.GrantName, "orders", "shop"))
	}
	_, roles, _ := strings.Cut(v.print(t, "access"), "---\n")
	if d := cmp.Diff(strings.Join(want, "---\n"), roles); d != "" {
		t.Errorf("roles (-strategy +manifest):\n%s", d)
	}
	if d := cmp.Diff([]Namespace{{"quay"}}, v.PeerNamespaces); d != "" || v.PeersAnywhere {
		t.Errorf("namespaces of peers (-want +got):\n%s; anywhere: %v", d, v.PeersAnywhere)
	}
}

func TestDNSNeedsAServiceThatPublishesInTimeAndNoToken(t *testing.T) {
	v := collect(t, "topologies: {a: {strategy: kubernetes_dns, config: {service: orders, port_name: gossip}}, b: {strategy: kubernetes_dns, config: {service: far, namespace: quay, port_name: gossip}}}\n")
	text := v.print(t, "")
	has(t, text, `name: "orders"`, "publishNotReadyAddresses: true", "automountServiceAccountToken: false", `kubernetes.io/metadata.name: "quay"`)
	if strings.Contains(text, "ServiceAccount\n") || len(v.Services) != 1 {
		t.Errorf("a file that asks no API has an account, or %d Services instead of one:\n%s", len(v.Services), text)
	}
}

func TestProbesAskTheSectionHTTPWhereAKubeletReachesIt(t *testing.T) {
	for _, c := range []struct{ listen, want, not string }{
		{"0.0.0.0:8080", "{path: /readyz, port: http}", "tcpSocket"},
		{"'[::]:8080'", "{path: /livez, port: http}", "tcpSocket"},
		{"127.0.0.1:8080", "tcpSocket", "port: http"},
		{"localhost:8080", "tcpSocket", "livenessProbe"},
	} {
		v := collect(t, "http: {listen: "+c.listen+"}\n"+found)
		for _, part := range []string{"pod", "workload"} {
			text := v.print(t, part)
			has(t, text, c.want)
			if strings.Contains(text, c.not) {
				t.Errorf("listen %s: %q in:\n%s", c.listen, c.not, text)
			}
		}
		if reachable := c.not == "tcpSocket"; strings.Contains(v.print(t, "policy"), "port: 8080") != reachable {
			t.Errorf("listen %s: the policy must have port 8080 exactly if it is reachable", c.listen)
		}
	}
}

func TestSecretsAndVolumesAreThereWhereTheFileNeedsThem(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	t.Setenv("CONVOKE_TEST_KEY", key)
	for _, c := range []struct{ name, node, want, not string }{
		{"a key in the file", "{keys: [" + key + "]}", "secretName: \"orders-topology\"", "configMap:"},
		{"a key in the environment", "{keys: ['${CONVOKE_TEST_KEY}']}", `- name: "CONVOKE_TEST_KEY"` + "\n          valueFrom: {secretKeyRef: {name: \"orders-env\"", key},
		{"data", "{data_dir: /var/lib/convoke}", "storage: \"2Gi\"", "Secret"},
		{"certificates", "{tls: {cert: /tls/a.pem, key: /tls/a.key, ca: /ca/ca.pem}}", "- name: \"orders-tls-2\"\n          mountPath: \"/ca\"", "data_dir"},
		{"nothing of that", "{}", "configMap:", "volumeClaimTemplates"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := collect(t, "node: "+c.node+"\n"+found)
			text := v.print(t, "")
			has(t, text, c.want, "replicas: 5")
			if strings.Contains(text, c.not) {
				t.Errorf("%q in:\n%s", c.not, text)
			}
		})
	}
}

func TestOtherSourcesOfPeersOpenThePortToAll(t *testing.T) {
	v := collect(t, "topologies: {pods: {strategy: kubernetes, config: {service: orders}}, far: {strategy: static, config: {hosts: ['10.0.0.1:1']}}}\n")
	if text := v.print(t, "policy"); !v.PeersAnywhere || strings.Contains(text, "from:") {
		t.Errorf("peers from anywhere: %v; the policy:\n%s", v.PeersAnywhere, text)
	}
}

func TestEveryValueHasACommentAndASchema(t *testing.T) {
	v := collect(t, found)
	text := v.print(t, PartValues)
	var keys map[string]any
	if err := yaml.Unmarshal([]byte(text), &keys); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(slices.Sorted(maps.Keys(settings)), slices.Sorted(maps.Keys(keys))); d != "" {
		t.Errorf("keys (-settings +values):\n%s", d)
	}
	for key, s := range settings {
		has(t, text, "# "+s.comment+"\n"+key+":")
	}
	if !json.Valid([]byte(schema())) {
		t.Error("the schema is no JSON")
	}
}
