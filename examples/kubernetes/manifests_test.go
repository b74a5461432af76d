// Package kubernetes_test checks the manifests as far as that goes without a cluster.
package kubernetes_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/strategy/builtin"
	"github.com/goconvoke/convoke/strategy/kubernetes"
)

// object is the part of the objects that is looked at.
type object struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Data     map[string]string
	Rules    []struct {
		APIGroups []string `yaml:"apiGroups"`
		Resources []string
		Verbs     []string
	}
	RoleRef  struct{ Name string } `yaml:"roleRef"`
	Subjects []struct{ Name, Namespace string }
	Spec     struct {
		ClusterIP      string `yaml:"clusterIP"`
		NotReady       bool   `yaml:"publishNotReadyAddresses"`
		ServiceName    string `yaml:"serviceName"`
		Selector       yaml.Node
		Ports          []struct{ Name, TargetPort string }
		Template       template
		PodManagement  string `yaml:"podManagementPolicy"`
		MaxUnavailable int    `yaml:"maxUnavailable"`
	}
}

type template struct {
	Metadata struct{ Labels map[string]string }
	Spec     struct {
		ServiceAccountName string `yaml:"serviceAccountName"`
		Automount          *bool  `yaml:"automountServiceAccountToken"`
		Containers         []struct {
			Args  []string
			Env   []struct{ Name string }
			Ports []struct {
				Name          string
				ContainerPort int `yaml:"containerPort"`
			}
			VolumeMounts []struct {
				MountPath string `yaml:"mountPath"`
			} `yaml:"volumeMounts"`
		}
		Volumes []struct {
			ConfigMap struct{ Name string } `yaml:"configMap"`
		}
	}
}

// manifest holds the objects of a file by their kind; there is one of each.
func manifest(t *testing.T, path string) map[string]object {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := make(map[string]object)
	for d := yaml.NewDecoder(f); ; {
		var o object
		switch err := d.Decode(&o); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%s: %v", path, err)
		case o.Kind == "" || o.Metadata.Name == "" || o.Metadata.Namespace != "shop":
			t.Errorf("%s: object %s %s/%s, want a kind and a name in namespace shop", path, o.Kind, o.Metadata.Namespace, o.Metadata.Name)
		}
		if _, twice := all[o.Kind]; twice {
			t.Errorf("%s: two objects of kind %s", path, o.Kind)
		}
		all[o.Kind] = o
	}
}

func eachManifest(t *testing.T, check func(t *testing.T, all map[string]object, workload object)) {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) != 4 {
		t.Fatalf("files %v (%v), want 4", files, err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			all := manifest(t, file)
			workload, ok := all["StatefulSet"]
			if !ok {
				workload, ok = all["Deployment"]
			}
			if !ok || len(workload.Spec.Template.Spec.Containers) != 1 {
				t.Fatal("no workload with one container")
			}
			check(t, all, workload)
		})
	}
}

func TestConfigurationsPassACheckWithTheEnvironmentOfTheirPods(t *testing.T) {
	eachManifest(t, func(t *testing.T, all map[string]object, workload object) {
		config := load(t, all, workload)
		container := workload.Spec.Template.Spec.Containers[0]
		if !strings.HasSuffix(config.Node.Listen, fmt.Sprintf(":%d", container.Ports[0].ContainerPort)) {
			t.Errorf("the node listens on %s, the container has port %d", config.Node.Listen, container.Ports[0].ContainerPort)
		}
		path := container.VolumeMounts[0].MountPath + "/topology.yaml"
		if !slices.Contains(container.Args, path) {
			t.Errorf("the command %v does not read %s", container.Args, path)
		}
		if got := workload.Spec.Template.Spec.Volumes[0].ConfigMap.Name; got != all["ConfigMap"].Metadata.Name {
			t.Errorf("the volume is of ConfigMap %s, want %s", got, all["ConfigMap"].Metadata.Name)
		}
	})
}

// load reads the configuration in the ConfigMap; the environment is what the container declares.
func load(t *testing.T, all map[string]object, workload object) *cluster.Config {
	t.Helper()
	values := map[string]string{"POD_NAME": "orders-0", "POD_IP": "10.0.0.1"}
	v := cluster.LoadOptions{Strategies: builtin.Registry()}
	v.LookupEnv = func(name string) (string, bool) {
		for _, e := range workload.Spec.Template.Spec.Containers[0].Env {
			if e.Name == name {
				return values[name], values[name] != ""
			}
		}
		return "", false
	}
	config, err := cluster.Parse("topology.yaml", []byte(all["ConfigMap"].Data["topology.yaml"]), v)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestServicesSelectThePodsAndPublishThemInTime(t *testing.T) {
	eachManifest(t, func(t *testing.T, all map[string]object, workload object) {
		service := all["Service"]
		var selector map[string]string
		if err := service.Spec.Selector.Decode(&selector); err != nil || len(selector) == 0 {
			t.Fatalf("selector of the Service: %v", err)
		}
		for k, v := range selector {
			if workload.Spec.Template.Metadata.Labels[k] != v {
				t.Errorf("the Service selects %s=%s, the pods have %v", k, v, workload.Spec.Template.Metadata.Labels)
			}
		}
		if service.Spec.ClusterIP != "None" {
			t.Errorf("the Service has clusterIP %q, want None", service.Spec.ClusterIP)
		}
		if workload.Kind == "StatefulSet" && (workload.Spec.ServiceName != service.Metadata.Name || workload.Spec.PodManagement != "Parallel") {
			t.Errorf("the StatefulSet is of Service %q and starts its pods %q", workload.Spec.ServiceName, workload.Spec.PodManagement)
		}
		byDNS := load(t, all, workload).Topologies[0].Strategy != "kubernetes"
		if service.Spec.NotReady != byDNS {
			t.Errorf("publishNotReadyAddresses is %v, want it exactly where DNS finds the pods", service.Spec.NotReady)
		}
	})
}

func TestPodsMayAskExactlyWhatTheyNeed(t *testing.T) {
	eachManifest(t, func(t *testing.T, all map[string]object, workload object) {
		spec := workload.Spec.Template.Spec
		c, asks := load(t, all, workload).Topologies[0].Config.Config.(kubernetes.Config)
		if !asks {
			if spec.Automount == nil || *spec.Automount || len(all["Role"].Rules) > 0 {
				t.Errorf("pods that ask no API have a token or a role")
			}
			return
		}
		grants, rules := c.Grants("shop"), all["Role"].Rules
		if len(grants) != 1 || len(rules) != 1 {
			t.Fatalf("%d grants and %d rules, want one of each", len(grants), len(rules))
		}
		g, r := grants[0], rules[0]
		if !slices.Equal(r.Verbs, g.Verbs) || !slices.Equal(r.Resources, []string{g.Resource}) || !slices.Equal(r.APIGroups, []string{g.Group}) {
			t.Errorf("the role grants %v, want %v", r, g)
		}
		binding := all["RoleBinding"]
		if binding.RoleRef.Name != all["Role"].Metadata.Name || binding.Subjects[0].Name != spec.ServiceAccountName ||
			all["ServiceAccount"].Metadata.Name != spec.ServiceAccountName {
			t.Errorf("the binding %v does not give the role to service account %s", binding, spec.ServiceAccountName)
		}
	})
}
