package manifest

import (
	"strings"
)

// objects prints the objects of a set of values.
type objects struct {
	*printer
	all, namespace value
}

// newObjects prints v, or with nil templates for any values.
func newObjects(v *Values) (objects, error) {
	p := &printer{chart: v == nil}
	o := objects{p, value{p, nil, "$.Values"}, value{p, nil, "$.Release.Namespace"}}
	if v == nil {
		return o, nil
	}
	tree, err := v.tree()
	o.all.known, o.namespace.known = tree, v.namespace
	return o, err
}

// head begins an object.
func (o objects) head(version, kind, name, namespace string) {
	o.line("---\napiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n  namespace: %s", version, kind, name, namespace)
}

// access prints the service account and its rights.
func (o objects) access() {
	account := o.all.field("account")
	o.when(account, func() {
		o.head("v1", "ServiceAccount", account.text(), o.namespace.text())
		o.each(o.all.field("access"), func(a value) {
			namespace := a.field("namespace").textOr(o.namespace)
			o.head("rbac.authorization.k8s.io/v1", "Role", a.field("name").text(), namespace)
			o.line("rules:\n- apiGroups: [%s]\n  resources: [%s]\n  verbs: [%s]", a.field("group").text(), a.field("resource").text(), a.field("verbs").list())
			o.head("rbac.authorization.k8s.io/v1", "RoleBinding", a.field("name").text(), namespace)
			o.line("roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: %s", a.field("name").text())
			o.line("subjects:\n- kind: ServiceAccount\n  name: %s\n  namespace: %s", account.text(), o.namespace.text())
		})
	})
}

// services prints the headless Services.
func (o objects) services() {
	o.each(o.all.field("services"), func(s value) {
		o.head("v1", "Service", s.field("name").text(), o.namespace.text())
		o.when(s.field("labels"), func() {
			o.line("  labels:")
			o.each(s.field("labels"), func(l value) { o.line("    %s: %s", l.field("key").text(), l.field("value").text()) })
		})
		o.line("spec:\n  clusterIP: None")
		o.when(s.field("unready"), func() {
			o.line("  publishNotReadyAddresses: true # else DNS has no addresses while all pods start")
		})
		o.line("  selector:\n    app: %s\n  ports:\n  - name: %s\n    port: %s\n    targetPort: %[2]s",
			o.all.field("name").text(), o.all.field("portName").text(), o.all.field("port").number())
	})
}

// file prints the object that holds the file.
func (o objects) file() {
	name := o.all.field("name").textWith(fileSuffix)
	o.when(o.all.field("secretTopology"), func() {
		o.head("v1", "Secret", name, o.namespace.text())
		o.line("stringData:")
	})
	o.unless(o.all.field("secretTopology"), func() {
		o.head("v1", "ConfigMap", name, o.namespace.text())
		o.line("data:")
	})
	o.line("  %s: |\n%s", fileName, o.all.field("topology").indented(4))
}

// policy prints how many pods may be missing and who may call them.
func (o objects) policy() {
	name, port := o.all.field("name").text(), o.all.field("port").number()
	o.head("policy/v1", "PodDisruptionBudget", name, o.namespace.text())
	o.line("spec:\n  maxUnavailable: 1\n  selector:\n    matchLabels:\n      app: %s", name)
	o.head("networking.k8s.io/v1", "NetworkPolicy", name, o.namespace.text())
	o.line("spec:\n  podSelector:\n    matchLabels:\n      app: %s\n  policyTypes: [Ingress]\n  ingress:\n  - ports:\n    - {port: %s, protocol: TCP}", name, port)
	o.when(o.all.field("udp"), func() { o.line("    - {port: %s, protocol: UDP}", port) })
	o.unless(o.all.field("peersAnywhere"), func() {
		o.line("    from:\n    - podSelector:\n        matchLabels:\n          app: %s", name)
		o.each(o.all.field("peerNamespaces"), func(n value) {
			o.line("    - namespaceSelector:\n        matchLabels:\n          kubernetes.io/metadata.name: %s", n.field("name").text())
		})
	})
	o.when(o.all.field("http"), func() {
		o.line("  - ports: # probes, and what collects metrics\n    - {port: %s, protocol: TCP}\n    from:\n    - namespaceSelector: {}", o.all.field("http").number())
	})
}

// String returns what was printed, without the separator before the first object.
func (o objects) String() string { return strings.TrimPrefix(o.b.String(), "---\n") }
