package kube

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// Namespace is one test's part of a cluster. Its methods fail the test, so they are called from its goroutine, except
// those that return an error.
type Namespace struct {
	Name string

	t testing.TB
	c *Client
}

// node is the machine that all pods are on. The controller of EndpointSlices leaves pods of unknown machines out.
const node = "worker-1"

// NewNamespace makes a namespace with a name that is not in use.
func (c *Client) NewNamespace(t testing.TB) *Namespace {
	t.Helper()
	n := &Namespace{Name: "t-" + strings.ToLower(rand.Text()[:12]), t: t, c: c}
	n.must(c.Create("/api/v1/namespaces", Object{"metadata": Object{"name": n.Name}}))
	err := c.Create("/api/v1/nodes", Object{"metadata": Object{"name": node, "labels": Object{"topology.kubernetes.io/zone": "zone-a"}}})
	if status := (*StatusError)(nil); !errors.As(err, &status) || status.Code != http.StatusConflict {
		n.must(err)
	}
	return n
}

func (n *Namespace) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *Namespace) core(kind string) string {
	return "/api/v1/namespaces/" + n.Name + "/" + kind
}

// Slices returns the path of the EndpointSlices.
func (n *Namespace) Slices() string {
	return "/apis/discovery.k8s.io/v1/namespaces/" + n.Name + "/endpointslices"
}

// Service is a headless Service of the pods with the label app = its name.
type Service struct {
	Name      string
	Port      int    // named gossip
	Unready   bool   // publishNotReadyAddresses
	DualStack bool   // IPv4 and IPv6
	Protocol  string // "" means TCP
}

// Service makes a Service.
func (n *Namespace) Service(s Service) {
	n.t.Helper()
	policy := "SingleStack"
	if s.DualStack {
		policy = "RequireDualStack"
	}
	if s.Protocol == "" {
		s.Protocol = "TCP"
	}
	n.must(n.c.Create(n.core("services"), Object{
		"metadata": Object{"name": s.Name},
		"spec": Object{
			"clusterIP": "None", "selector": Object{"app": s.Name}, "ipFamilyPolicy": policy, "publishNotReadyAddresses": s.Unready,
			"ports": []any{Object{"name": "gossip", "port": s.Port, "targetPort": s.Port, "protocol": s.Protocol}},
		},
	}))
}

// Pod is a pod of a Service.
type Pod struct {
	Name    string
	Service string   // its label app, its subdomain and its service account
	IPs     []string // none: it has not got any yet
	Ready   bool
	Labels  map[string]string // more of them
}

// Slice makes an empty slice of a Service that no controller writes.
func (n *Namespace) Slice(name, service string) {
	n.t.Helper()
	n.must(n.c.Create(n.Slices(), Object{
		"metadata":    Object{"name": name, "labels": Object{"kubernetes.io/service-name": service}},
		"addressType": "IPv4",
		"endpoints":   []any{},
		"ports":       []any{Object{"name": "gossip", "port": 7946}},
	}))
}

// Endpoints writes count endpoints, 0 to 255, into such a slice.
func (n *Namespace) Endpoints(slice string, count int) {
	n.t.Helper()
	all := make([]any, 0, count)
	for i := range count {
		all = append(all, Object{"addresses": []any{fmt.Sprintf("10.245.0.%d", i)}, "conditions": Object{"ready": true}})
	}
	n.must(n.c.Merge(n.Slices()+"/"+slice, Object{"endpoints": all}))
}

// Start makes a pod that runs.
func (n *Namespace) Start(p Pod) {
	n.t.Helper()
	n.must(n.TryStart(p))
}

// TryStart is Start for any goroutine.
func (n *Namespace) TryStart(p Pod) error {
	labels := Object{"app": p.Service}
	for k, v := range p.Labels {
		labels[k] = v
	}
	err := n.c.Create(n.core("pods"), Object{
		"metadata": Object{"name": p.Name, "labels": labels},
		"spec": Object{
			"nodeName": node, "hostname": p.Name, "subdomain": p.Service, "serviceAccountName": p.Service,
			"containers": []any{Object{"name": "main", "image": "none", "ports": []any{Object{"name": "gossip", "containerPort": 7946}}}},
		},
	})
	if err != nil {
		return err
	}
	return n.Update(p)
}

// Update writes the status of a pod: what its kubelet knows.
func (n *Namespace) Update(p Pod) error {
	var ips []any
	for _, ip := range p.IPs {
		ips = append(ips, Object{"ip": ip})
	}
	status := Object{"phase": "Pending"}
	if len(ips) > 0 {
		ready := "False"
		if p.Ready {
			ready = "True"
		}
		status = Object{
			"phase": "Running", "podIP": p.IPs[0], "podIPs": ips,
			"conditions": []any{Object{"type": "Ready", "status": ready}},
			"containerStatuses": []any{Object{
				"name": "main", "image": "none", "imageID": "", "ready": p.Ready, "restartCount": 0,
				"state": Object{"running": Object{"startedAt": time.Now().UTC().Format(time.RFC3339)}},
			}},
		}
	}
	return n.c.Merge(n.core("pods")+"/"+p.Name+"/status", Object{"status": status})
}

// Terminate asks a pod to end: it stays, terminating, until it is removed.
func (n *Namespace) Terminate(name string) {
	n.t.Helper()
	n.must(n.c.Delete(n.core("pods")+"/"+name, 30*time.Second))
}

// Remove removes a pod at once.
func (n *Namespace) Remove(name string) {
	n.t.Helper()
	n.must(n.c.Delete(n.core("pods")+"/"+name, 0))
}

// Account makes a service account.
func (n *Namespace) Account(name string) {
	n.t.Helper()
	n.must(n.c.Create(n.core("serviceaccounts"), Object{"metadata": Object{"name": name}}))
}

// Token returns a new token of a service account. One that is bound to a pod ends with that; "" binds it to none.
func (n *Namespace) Token(account, pod string) string {
	n.t.Helper()
	spec := Object{"expirationSeconds": 600}
	if pod != "" {
		var p struct{ Metadata struct{ UID string } }
		n.must(n.c.Read(n.core("pods")+"/"+pod, &p))
		spec["boundObjectRef"] = Object{"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": p.Metadata.UID}
	}
	var answer struct{ Status struct{ Token string } }
	n.must(n.c.do(http.MethodPost, n.core("serviceaccounts")+"/"+account+"/token", jsonType, Object{"spec": spec}, &answer))
	if answer.Status.Token == "" {
		n.t.Fatal("the API server gave an empty token")
	}
	return answer.Status.Token
}

// Crowd makes objects that no strategy looks at, so that the version of the whole cluster grows.
func (n *Namespace) Crowd(count int) {
	n.t.Helper()
	for range count {
		n.must(n.c.Create(n.core("configmaps"), Object{"metadata": Object{"generateName": "crowd-"}}))
	}
}

// Version returns the version of the cluster now.
func (n *Namespace) Version() string {
	n.t.Helper()
	var list struct {
		Metadata struct{ ResourceVersion string }
	}
	n.must(n.c.Read(n.Slices(), &list))
	return list.Metadata.ResourceVersion
}

var documents = regexp.MustCompile(`(?m)^---\n`)

// collections of the kinds that Apply knows.
var collections = map[string]string{
	"ServiceAccount": "/api/v1/namespaces/%s/serviceaccounts",
	"Service":        "/api/v1/namespaces/%s/services",
	"ConfigMap":      "/api/v1/namespaces/%s/configmaps",
	"Role":           "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/roles",
	"RoleBinding":    "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/rolebindings",
	"StatefulSet":    "/apis/apps/v1/namespaces/%s/statefulsets",
	"Deployment":     "/apis/apps/v1/namespaces/%s/deployments",

	"Pod":    "/api/v1/namespaces/%s/pods",
	"Secret": "/api/v1/namespaces/%s/secrets",

	"NetworkPolicy":       "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies",
	"PodDisruptionBudget": "/apis/policy/v1/namespaces/%s/poddisruptionbudgets",
}

// Restrict has the API server refuse pods, and warn of templates of pods, that do not keep to Pod Security "restricted".
func (n *Namespace) Restrict() {
	n.t.Helper()
	n.must(n.c.Merge("/api/v1/namespaces/"+n.Name, Object{"metadata": Object{"labels": Object{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
	}}}))
}

// Apply applies the objects of a YAML file as kubectl apply --server-side does. An unknown field, or a warning, is an error.
func (n *Namespace) Apply(manifest string) {
	n.t.Helper()
	n.apply(manifest, "")
}

// Check is Apply without the effect: the objects are checked as if.
func (n *Namespace) Check(manifest string) {
	n.t.Helper()
	n.apply(manifest, "&dryRun=All")
}

// TryCheck is Check that returns the first refusal or warning.
func (n *Namespace) TryCheck(manifest string) error { return n.tryApply(manifest, "&dryRun=All") }

func (n *Namespace) apply(manifest, more string) {
	n.t.Helper()
	n.must(n.tryApply(manifest, more))
}

func (n *Namespace) tryApply(manifest, more string) error {
	for _, doc := range documents.Split(manifest, -1) {
		var o struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			return err
		}
		collection, known := collections[o.Kind]
		if !known {
			return fmt.Errorf("apply: no collection of kind %q is known here:\n%s", o.Kind, doc)
		}
		if o.Metadata.Namespace != n.Name {
			return fmt.Errorf("apply: %s %s is for namespace %q, want %s", o.Kind, o.Metadata.Name, o.Metadata.Namespace, n.Name)
		}
		path := fmt.Sprintf(collection, n.Name) + "/" + o.Metadata.Name + "?fieldManager=test&fieldValidation=Strict" + more
		if err := n.c.apply(path, doc); err != nil {
			return err
		}
	}
	return nil
}

// Revoke removes a RoleBinding.
func (n *Namespace) Revoke(name string) {
	n.t.Helper()
	n.must(n.c.Delete(fmt.Sprintf(collections["RoleBinding"], n.Name)+"/"+name, 0))
}
