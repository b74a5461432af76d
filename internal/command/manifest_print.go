package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goconvoke/convoke/strategy/kubernetes"
)

// printManifest writes the parts as documents of YAML, always in the same order.
func (p *pod) printManifest(only string) string {
	var docs []string
	if (only == "" || only == partAccess) && len(p.grants) > 0 {
		docs = append(docs, p.accountDoc())
		for _, g := range p.grants {
			docs = append(docs, g.Manifest(p.grantName(g), p.account, p.namespace))
		}
	}
	if only == "" || only == partService {
		for _, s := range p.services {
			docs = append(docs, p.serviceDoc(s))
		}
	}
	if only == "" || only == partPod {
		docs = append(docs, p.podDoc())
	}
	return strings.Join(docs, "---\n")
}

// grantName is the name of a Role, of its own where a namespace has several.
func (p *pod) grantName(g kubernetes.Grant) string {
	for _, other := range p.grants {
		if other.Namespace == g.Namespace && other.Resource != g.Resource {
			return kubernetes.GrantName + "-" + g.Resource
		}
	}
	return kubernetes.GrantName
}

func (p *pod) accountDoc() string {
	return fmt.Sprintf(`apiVersion: v1
kind: ServiceAccount
metadata:
  name: %q
  namespace: %q
`, p.account, p.namespace)
}

func (p *pod) serviceDoc(s headless) string {
	var labels, unready strings.Builder
	if len(s.labels) > 0 {
		labels.WriteString("  labels:\n")
		for _, l := range s.labels {
			fmt.Fprintf(&labels, "    %q: %q\n", l[0], l[1])
		}
	}
	if s.unready {
		unready.WriteString("  publishNotReadyAddresses: true # else DNS has no addresses while all pods start\n")
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata:
  name: %[1]q
  namespace: %[2]q
%[3]sspec:
  clusterIP: None
%[4]s  selector:
    app: %[5]q
  ports:
  - name: %[6]q
    port: %[7]d
    targetPort: %[6]q
`, s.name, p.namespace, labels.String(), unready.String(), p.app, p.portName, p.port)
}

// podDoc is a patch for the template of a StatefulSet, a Deployment or the like.
func (p *pod) podDoc() string {
	var b strings.Builder
	b.WriteString(`# A patch for the workload. The probe asks for the port alone: a pod that waits for its cluster to be ready before it
# is found would wait for itself. A program that embeds the supervisor serves its own answer of Ready.
spec:
  template:
    metadata:
      labels:
`)
	fmt.Fprintf(&b, "        app: %q\n    spec:\n", p.app)
	if len(p.grants) > 0 {
		fmt.Fprintf(&b, "      serviceAccountName: %q\n", p.account)
	} else {
		b.WriteString("      automountServiceAccountToken: false # DNS needs none\n")
	}
	fmt.Fprintf(&b, "      containers:\n      - name: %q # your container\n        env:\n", p.app)
	env := p.envVars()
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "        - name: %q\n          valueFrom: {fieldRef: {fieldPath: %q}}\n", name, env[name])
	}
	for _, name := range p.asked {
		if env[name] == "" && name != "HOSTNAME" {
			fmt.Fprintf(&b, "        # The file names ${%s} too: set it, from a Secret if it is one.\n", name)
		}
	}
	fmt.Fprintf(&b, `        ports:
        - name: %[1]q
          containerPort: %[2]d
        readinessProbe:
          tcpSocket: {port: %[1]q}
          periodSeconds: 2
`, p.portName, p.port)
	return b.String()
}

// envVars returns the environment variables of the pods and the fields that fill them: what the file names, and
// what strategies look at by default.
func (p *pod) envVars() map[string]string {
	env := map[string]string{"POD_NAME": downward["POD_NAME"], "POD_NAMESPACE": downward["POD_NAMESPACE"], "POD_IP": downward["POD_IP"]}
	for _, name := range p.asked {
		if field := downward[name]; field != "" {
			env[name] = field
		}
	}
	for name, label := range p.versions {
		env[name] = fmt.Sprintf("metadata.labels['%s']", label)
	}
	return env
}
