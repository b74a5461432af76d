// Package builtin links every strategy of this module.
package builtin

import (
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/dns"
	"github.com/goconvoke/convoke/strategy/exec"
	"github.com/goconvoke/convoke/strategy/file"
	"github.com/goconvoke/convoke/strategy/hostsfile"
	"github.com/goconvoke/convoke/strategy/http"
	"github.com/goconvoke/convoke/strategy/kubernetes"
	"github.com/goconvoke/convoke/strategy/local"
	"github.com/goconvoke/convoke/strategy/multicast"
	"github.com/goconvoke/convoke/strategy/rancher"
	"github.com/goconvoke/convoke/strategy/static"
)

// Registry returns a registry of all strategies of this module. A program that wants few of
// them makes its own with [strategy.NewRegistry].
func Registry() *strategy.Registry {
	r, err := strategy.NewRegistry(
		file.Kind,
		dns.Kind,
		dns.KubernetesKind,
		exec.Kind,
		hostsfile.Kind,
		http.Kind,
		kubernetes.Kind,
		local.Kind,
		multicast.Kind,
		rancher.Kind,
		static.Kind,
	)
	if err != nil {
		panic(err) // two of our own share a name
	}
	return r
}
