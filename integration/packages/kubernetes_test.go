package packages

import (
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/integration/kube"
)

const kubernetesDir = "../../packaging/kubernetes"

// object is a document of YAML.
type object = map[string]any

// installation is a file and the flags of convoke manifest.
type installation struct {
	name, file string
	args       []string
	kinds      []string // of objects, besides those that all have
}

func installations(t *testing.T) []installation {
	t.Helper()
	plain, err := os.ReadFile(filepath.Join(kubernetesDir, "topology.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	return []installation{
		{"as the chart comes", string(plain), nil, []string{"ConfigMap", "Role", "RoleBinding", "Service", "ServiceAccount", "StatefulSet"}},
		{"by DNS without http", "cluster: orders\ntopologies: {pods: {strategy: kubernetes_dns, config: {service: orders, port_name: gossip}}}\n",
			[]string{"--replicas", "5", "--image", "registry.example/orders@sha256:0000"}, []string{"ConfigMap", "Service", "StatefulSet"}},
		{"with disks and certificates", "cluster: orders\nnode: {data_dir: /var/lib/convoke, tls: {cert: /tls/tls.crt, key: /tls/tls.key, ca: /ca/ca.crt}}\n" +
			"quorum: {voters: 3}\nhttp: {listen: '[::]:8080'}\ntopologies: {pods: {strategy: kubernetes, expect: 3, config: {service: orders, selector: tier=backend}}}\n",
			[]string{"--storage", "5Gi"}, []string{"ConfigMap", "Role", "RoleBinding", "Service", "ServiceAccount", "StatefulSet"}},
		{"with a key in the file as a Deployment in two namespaces", "cluster: orders\nnode: {keys: [" + key + "]}\n" +
			"topologies: {pods: {strategy: kubernetes, config: {source: pods, selector: app=orders, namespaces: [here, quay], port_name: peers}}}\n",
			[]string{"--workload", "Deployment", "-n", "here", "--service-account", "cart"},
			[]string{"Deployment", "Role", "Role", "RoleBinding", "RoleBinding", "Secret", "ServiceAccount"}},
		{"with UDP and other sources and a secret variable", "cluster: orders\nnode: {keys: ['${CONVOKE_TEST_KEY}']}\ntopologies:\n" +
			"  pods: {strategy: kubernetes_dns, connector: memberlist, config: {service: orders, port_name: gossip}}\n" +
			"  far: {strategy: static, connector: memberlist, config: {hosts: ['10.0.0.1:7946']}}\n",
			nil, []string{"ConfigMap", "Service", "StatefulSet"}},
	}
}

// namespace returns that of the pods.
func (i installation) namespace() string {
	if n := slices.Index(i.args, "-n"); n >= 0 {
		return i.args[n+1]
	}
	return "default"
}

// manifest returns what convoke manifest prints.
func (i installation) manifest(t *testing.T, convoke string, more ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "topology.yaml")
	if err := os.WriteFile(file, []byte(i.file), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONVOKE_TEST_KEY", base64.StdEncoding.EncodeToString(make([]byte, 32)))
	return mustRun(t, nil, convoke, slices.Concat([]string{"manifest", "-c", file}, i.args, more)...)
}

// objectsOf decodes a stream of YAML, by kind, namespace and name.
func objectsOf(t *testing.T, text string) map[string]object {
	t.Helper()
	all := make(map[string]object)
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var o object
		switch err := d.Decode(&o); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%v in:\n%s", err, text)
		case o == nil:
			continue
		}
		meta, _ := o["metadata"].(object)
		kind, _ := o["kind"].(string)
		name, _ := meta["name"].(string)
		namespace, _ := meta["namespace"].(string)
		all[kind+" "+namespace+"/"+name] = o
	}
}

// kindsOf returns the kinds of objects, sorted.
func kindsOf(all map[string]object) []string {
	var kinds []string
	for id := range all {
		kind, _, _ := strings.Cut(id, " ")
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// helmHome keeps helm out of the files of the user.
func helmHome(t *testing.T) []string {
	dir := t.TempDir()
	return []string{"HELM_CACHE_HOME=" + dir, "HELM_CONFIG_HOME=" + dir, "HELM_DATA_HOME=" + dir}
}

// helm returns what a chart prints with the values of an installation, after a lint.
func (i installation) helm(t *testing.T, helm []string, chart, values string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	more := []string{chart, "-f", file, "--namespace", i.namespace(), "--kube-version", "1.36.0"}
	mustRun(t, helmHome(t), helm[0], slices.Concat(helm[1:], []string{"lint", "--strict", "--quiet"}, more)...)
	return mustRun(t, helmHome(t), helm[0], slices.Concat(helm[1:], []string{"template", "release"}, more)...)
}

func TestTheChartPrintsWhatTheManifestPrints(t *testing.T) {
	r := firstRelease(t)
	helm := tool(t, "HELM")
	chart := r.one(t, "convoke-chart-*.tgz")
	for _, i := range installations(t) {
		t.Run(i.name, func(t *testing.T) {
			want := objectsOf(t, i.manifest(t, r.native(t)))
			got := objectsOf(t, i.helm(t, helm, chart, i.manifest(t, r.native(t), "--only", "values")))
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("objects (-manifest +chart):\n%s", d)
			}
			kinds := append(i.kinds, "NetworkPolicy", "PodDisruptionBudget")
			slices.Sort(kinds)
			if d := cmp.Diff(kinds, kindsOf(got)); d != "" {
				t.Errorf("kinds (-want +got):\n%s", d)
			}
		})
	}
}

func TestTheChartRefusesValuesThatItDoesNotKnow(t *testing.T) {
	helm := tool(t, "HELM")
	cmd := []string{"template", "release", filepath.Join(kubernetesDir, "chart"), "--kube-version", "1.36.0"}
	for _, set := range []string{"replica=5", "kind=DaemonSet", "port=0"} {
		_, err := output(t.Context(), ".", helmHome(t), helm[0], slices.Concat(helm[1:], cmd, []string{"--set", set})...)
		if err == nil || !strings.Contains(err.Error(), "values don't meet the specifications") {
			t.Errorf("--set %s: %v, want a refusal", set, err)
		}
	}
}

func TestTheBaseIsWhatTheManifestPrintsInAnyNamespace(t *testing.T) {
	r := firstRelease(t)
	kustomize := tool(t, "KUSTOMIZE")
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "base"), os.DirFS(filepath.Join(kubernetesDir, "base"))); err != nil {
		t.Fatal(err)
	}
	const overlay = "namespace: shop\nresources: [base]\nimages: [{name: ghcr.io/goconvoke/convoke, newTag: v9}]\n"
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(overlay), 0o600); err != nil {
		t.Fatal(err)
	}
	i := installations(t)[0]
	i.args = []string{"-n", "shop", "--image", "ghcr.io/goconvoke/convoke:v9"}
	got := objectsOf(t, mustRun(t, nil, kustomize[0], append(kustomize[1:], "build", dir)...))
	if d := cmp.Diff(objectsOf(t, i.manifest(t, r.native(t))), got); d != "" {
		t.Errorf("objects (-manifest +kustomize):\n%s", d)
	}
}

// An unknown field, a warning and a pod that is not "restricted" are errors.
func TestTheAPIServerTakesAllInstallations(t *testing.T) {
	r := firstRelease(t)
	server := kube.Run(t, kube.Options{})
	for _, i := range installations(t) {
		t.Run(i.name, func(t *testing.T) {
			own, other := server.Client().NewNamespace(t), server.Client().NewNamespace(t)
			own.Restrict()
			i.file = strings.NewReplacer("[here, quay]", "["+own.Name+", "+other.Name+"]").Replace(i.file)
			if n := slices.Index(i.args, "-n"); n >= 0 {
				i.args = slices.Delete(slices.Clone(i.args), n, n+2)
			}
			i.args = append(i.args, "-n", own.Name)
			for _, doc := range strings.Split(i.manifest(t, r.native(t)), "---\n") {
				ns := own
				if strings.Contains(doc, "\n  namespace: \""+other.Name+"\"\n") && strings.HasPrefix(doc, "apiVersion: rbac") {
					ns = other
				}
				ns.Check(doc)
			}
			checkPod(t, own, objectsOf(t, i.manifest(t, r.native(t), "--only", "workload")))
		})
	}
}

// checkPod sends a pod made of the template of a workload, and the same without its restrictions, which must be refused.
func checkPod(t *testing.T, ns *kube.Namespace, workloads map[string]object) {
	t.Helper()
	for _, w := range workloads {
		spec, _ := w["spec"].(object)
		template, _ := spec["template"].(object)
		pod, _ := template["spec"].(object)
		if spec["volumeClaimTemplates"] != nil { // a controller puts the claim here
			volumes, _ := pod["volumes"].([]any)
			pod["volumes"] = append(volumes, object{"name": "data", "emptyDir": object{}})
		}
		if err := ns.TryCheck(podText(t, ns, pod)); err != nil {
			t.Errorf("the pod: %v", err)
		}
		delete(pod, "securityContext")
		if err := ns.TryCheck(podText(t, ns, pod)); err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
			t.Errorf("the pod without its restrictions: %v, want a refusal: this test finds nothing", err)
		}
	}
}

func podText(t *testing.T, ns *kube.Namespace, spec object) string {
	t.Helper()
	text, err := yaml.Marshal(object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "sample", "namespace": ns.Name}, "spec": spec})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
