package manifest

// patch prints what an existing workload, whose program embeds a node, needs in the template of its pods.
func (o objects) patch() {
	name := o.all.field("name")
	o.line("---\n# A patch for the workload, with the name of your container in it.\nspec:\n  template:\n    metadata:\n      labels:\n        app: %s\n    spec:", name.text())
	o.podAccount()
	o.line("      containers:\n      - name: %s", name.text())
	o.env(name)
	o.ports()
	o.probes()
}

// env prints the environment that the file names, and what strategies look at by default.
func (o objects) env(name value) {
	o.line("        env:")
	o.each(o.all.field("env"), func(e value) {
		o.line("        - name: %s\n          valueFrom: {fieldRef: {fieldPath: %s}}", e.field("name").text(), e.field("field").text())
	})
	o.each(o.all.field("secretEnv"), func(e value) {
		o.line("        - name: %s\n          valueFrom: {secretKeyRef: {name: %s, key: %[1]s}}", e.field("name").text(), name.textWith("-env"))
	})
}

func (o objects) ports() {
	port, name := o.all.field("port").number(), o.all.field("portName").text()
	o.line("        ports:\n        - name: %s\n          containerPort: %s", name, port)
	o.when(o.all.field("udp"), func() {
		o.line("        - name: convoke-udp\n          containerPort: %s\n          protocol: UDP", port)
	})
	o.when(o.all.field("http"), func() { o.line("        - name: http\n          containerPort: %s", o.all.field("http").number()) })
}

// probes prints probes that wait for no peer: a pod that is found only when it is ready must not wait for being found.
func (o objects) probes() {
	http := o.all.field("http")
	o.when(http, func() {
		o.line(`        readinessProbe:
          httpGet: {path: /readyz, port: http}
          periodSeconds: 2
        livenessProbe:
          httpGet: {path: /livez, port: http}
          periodSeconds: 10
          timeoutSeconds: 5
          failureThreshold: 3`)
	})
	o.unless(http, func() {
		o.line("        readinessProbe: # the port alone: the file has no section http that a kubelet reaches\n          tcpSocket: {port: %s}\n          periodSeconds: 2",
			o.all.field("portName").text())
	})
}
