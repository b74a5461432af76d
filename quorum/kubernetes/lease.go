// Package kubernetes keeps the founding of a quorum in a Lease, an object of Kubernetes: whichever pod creates it writes the first voters
// there, and all others join them. See quorum.Arbitrated for what that promises.
//
// It is for pods: the API server and the credentials are those of the service account. The account needs the verbs get, create and patch on leases of
// the group coordination.k8s.io; convoke manifest prints the Role. Three requests on one object are all it makes, so it needs no client library.
package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"
	"strings"

	"github.com/goconvoke/convoke/internal/safetext"
	"github.com/goconvoke/convoke/quorum"
)

// Annotation is where in the Lease the founding stands.
const Annotation = "convoke/founding"

// Verbs are what the service account needs on the leases of its namespace.
var Verbs = []string{"get", "create", "patch"}

// Config describes a Lease. Cluster is required.
type Config struct {
	Cluster        string // the ID of the cluster
	Namespace      string // of the Lease; "" means that of the pod
	Lease          string // its name; "" means LeaseName(Cluster)
	API            string // https://host:port of the API server; "" means KUBERNETES_SERVICE_HOST and _PORT
	ServiceAccount string // directory with token, ca.crt and namespace; "" means where the kubelet puts them
}

// Lease is a quorum.Arbiter. Files and environment are read at each request, so that a new token counts at once.
type Lease struct{ config Config }

// New returns the arbiter of a Lease. It asks nothing; what is missing in the environment is an error of Read and Write.
func New(c Config) *Lease {
	c.Lease = cmp.Or(c.Lease, LeaseName(c.Cluster))
	c.ServiceAccount = cmp.Or(c.ServiceAccount, serviceAccount)
	return &Lease{c}
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// LeaseName returns the name of the Lease of a cluster: convoke-CLUSTER. Where the ID has other characters than names of Kubernetes, or too
// many, a hash of it is added, so that two clusters never share a Lease.
func LeaseName(cluster string) string {
	name := "convoke-" + cluster
	safe := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if safe == name && len(name) <= maxName {
		return name
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(cluster)) // never fails
	return fmt.Sprintf("%s-%016x", safe[:min(len(safe), maxName-17)], h.Sum64())
}

const maxName = 63 // bytes of a name, so that it can be a label too

// String returns "lease NAMESPACE/NAME".
func (l *Lease) String() string {
	ns, err := l.namespace()
	if err != nil {
		return "lease " + l.config.Lease
	}
	return "lease " + ns + "/" + l.config.Lease
}

// object is what is read of a Lease.
type object struct {
	Metadata struct {
		ResourceVersion string            `json:"resourceVersion"`
		Annotations     map[string]string `json:"annotations"`
	} `json:"metadata"`
}

// Read implements quorum.Arbiter. A Lease without the annotation is an error: it belongs to something else.
func (l *Lease) Read(ctx context.Context) (text, version string, err error) {
	status, body, err := l.do(ctx, http.MethodGet, l.config.Lease, "", nil)
	switch {
	case err != nil:
		return "", "", err
	case status == http.StatusNotFound:
		return "", "", nil
	}
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		return "", "", fmt.Errorf("%v: the answer of the API server: %w", l, err)
	}
	if text = o.Metadata.Annotations[Annotation]; text == "" {
		return "", "", fmt.Errorf("%v is there and is not of convoke: it has no annotation %s; choose another name", l, Annotation)
	}
	return text, o.Metadata.ResourceVersion, nil
}

// Write implements quorum.Arbiter.
func (l *Lease) Write(ctx context.Context, text, version string) error {
	annotations := map[string]string{Annotation: text}
	method, name, content := http.MethodPatch, l.config.Lease, "application/merge-patch+json"
	o := map[string]any{"metadata": map[string]any{"resourceVersion": version, "annotations": annotations}}
	if version == "" {
		method, name, content = http.MethodPost, "", "application/json"
		o = map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
			"metadata": map[string]any{"name": l.config.Lease, "annotations": annotations, "labels": map[string]string{"app.kubernetes.io/managed-by": "convoke"}}}
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	status, _, err := l.do(ctx, method, name, content, body)
	if err == nil && (status == http.StatusConflict || status == http.StatusNotFound) {
		return fmt.Errorf("%v: %w", l, quorum.ErrConflict)
	}
	return err
}

// refusal makes an error of an answer that is none of those expected.
func (l *Lease) refusal(status int, body []byte) error {
	var s struct{ Message string }
	_ = json.Unmarshal(body, &s) // what is no Status has no message
	err := fmt.Errorf("%v: the API server answers %d %s: %s", l, status, http.StatusText(status), safetext.Clip(cmp.Or(s.Message, "no reason given"), 300))
	if status == http.StatusForbidden || status == http.StatusUnauthorized {
		return fmt.Errorf("%w; allow the service account of the pod to %s leases of coordination.k8s.io, convoke manifest prints the Role", err, strings.Join(Verbs, ", "))
	}
	return err
}
