package manifest

// Where the pods have their file, and what is called after it.
const (
	fileSuffix = "-topology"
	fileName   = "topology.yaml"
	fileDir    = "/etc/convoke"
	runtimeDir = "/run/convoke" // has the admin socket of a node without a data directory
	userID     = 65532          // as in the image
)

// workload prints the StatefulSet or Deployment. Its pods pass Pod Security "restricted".
func (o objects) workload() {
	name, kind := o.all.field("name"), o.all.field("kind")
	o.line("---\napiVersion: apps/v1\nkind: %s\nmetadata:\n  name: %s\n  namespace: %s\nspec:", kind.plain(), name.text(), o.namespace.text())
	o.line("  replicas: %s", o.all.field("replicas").number())
	o.is(kind, stable, func() {
		o.line("  serviceName: %s\n  podManagementPolicy: Parallel # a pod that waits for the others would keep them from being made", o.all.field("serviceName").text())
	})
	o.is(kind, interchangeable, func() {
		o.line("  strategy:\n    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}")
	})
	o.line("  selector:\n    matchLabels:\n      app: %s\n  template:\n    metadata:\n      labels:\n        app: %[1]s\n    spec:", name.text())
	o.podAccount()
	o.line("      terminationGracePeriodSeconds: 45 # leaving takes 30 s at most")
	o.line(`      securityContext:
        runAsNonRoot: true
        runAsUser: %[1]d
        runAsGroup: %[1]d
        fsGroup: %[1]d
        seccompProfile: {type: RuntimeDefault}`, userID)
	o.spread(name)
	o.container(name)
	o.volumes(name)
	o.claims()
}

// podAccount prints which account the pods have, if any.
func (o objects) podAccount() {
	account := o.all.field("account")
	o.when(account, func() { o.line("      serviceAccountName: %s", account.text()) })
	o.unless(account, func() { o.line("      automountServiceAccountToken: false # the API server is not queried") })
}

// spread keeps pods apart as far as there is room.
func (o objects) spread(name value) {
	o.line("      topologySpreadConstraints:")
	for _, key := range []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"} {
		o.line(`      - topologyKey: %s
        maxSkew: 1
        whenUnsatisfiable: ScheduleAnyway
        labelSelector:
          matchLabels:
            app: %s`, key, name.text())
	}
}

func (o objects) container(name value) {
	o.line("      containers:\n      - name: %s\n        image: %s\n        args: [agent, -c, %s/%s]", name.text(), o.all.field("image").text(), fileDir, fileName)
	o.env(name)
	o.line("        - name: XDG_RUNTIME_DIR # where convoke status and its kind find the agent\n          value: %s", runtimeDir)
	o.ports()
	o.probes()
	o.line("        resources:\n          requests: {cpu: %s, memory: %s}\n          limits: {memory: %s}",
		o.all.field("cpu").text(), o.all.field("memory").text(), o.all.field("memoryLimit").text())
	o.line(`        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
        volumeMounts:
        - name: topology
          mountPath: %s # the directory, not a subPath: that would never be updated
          readOnly: true
        - name: runtime
          mountPath: %s`, fileDir, runtimeDir)
	o.when(o.all.field("dataDir"), func() { o.line("        - name: data\n          mountPath: %s", o.all.field("dataDir").text()) })
	o.each(o.all.field("secretDirs"), func(d value) {
		o.line("        - name: %s\n          mountPath: %s\n          readOnly: true", d.field("secret").text(), d.field("dir").text())
	})
}

func (o objects) volumes(name value) {
	object := name.textWith(fileSuffix)
	o.line("      volumes:")
	o.when(o.all.field("secretTopology"), func() { o.line("      - name: topology\n        secret: {secretName: %s}", object) })
	o.unless(o.all.field("secretTopology"), func() { o.line("      - name: topology\n        configMap: {name: %s}", object) })
	o.line("      - name: runtime\n        emptyDir: {medium: Memory, sizeLimit: 1Mi}")
	o.each(o.all.field("secretDirs"), func(d value) {
		o.line("      - name: %s\n        secret: {secretName: %[1]s}", d.field("secret").text())
	})
}

// claims prints the volume of each pod that survives it.
func (o objects) claims() {
	o.when(o.all.field("dataDir"), func() {
		o.line(`  volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      accessModes: [ReadWriteOnce]
      resources:
        requests:
          storage: %s`, o.all.field("storage").text())
	})
}
