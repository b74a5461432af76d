// Package kubernetes finds the peers that a Kubernetes API server knows: the endpoints of a Service,
// or pods. It lists and watches them with a small part of client-go: the dynamic client and the
// reflector, no clientset and no informer, whose types would double the size of a program.
package kubernetes

import (
	"context"
	"time"

	"github.com/goconvoke/convoke/internal/ratelog"
	"github.com/goconvoke/convoke/strategy"
)

// Kind registers the strategy as "kubernetes".
var Kind = strategy.Kind[Config]{
	Name:    "kubernetes",
	Doc:     "the endpoints of a Service, or pods, as the Kubernetes API server lists and watches them",
	Default: DefaultConfig(),

	FormerKeys: map[string]string{
		"kubernetes_selector":             "selector",
		"kubernetes_namespace":            "namespaces",
		"kubernetes_ip_lookup_mode":       "source",
		"kubernetes_service_name":         "service",
		"kubernetes_cluster_name":         "domain",
		"kubernetes_master":               "api",
		"kubernetes_service_account_path": "service_account",
		"polling_interval":                "interval",
		"kubernetes_node_basename":        "leave it out; a peer is an address, and name is what it is called",
		"kubernetes_use_cached_resources": "leave it out; lists are always served from the cache of the API server",
	},

	New: newStrategy,
}

const (
	debounce = 200 * time.Millisecond // changes closer together than this make one answer,
	maxDelay = time.Second            // but none waits longer than this
)

// newStrategy makes the strategy. It reads no file and sends nothing before Run.
func newStrategy(c Config, env strategy.Env) (strategy.Strategy, error) {
	return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
		a := newAPI(c, env)
		defer a.close()
		f := &resolver{config: c, env: env, api: a}
		if c.Watch {
			return strategy.Watch(f.watchNamespaces, strategy.WatchConfig{FirstAnswer: c.Timeout + minBackoff}, env).Run(ctx, out)
		}
		return strategy.Poll(f.lookup, c.PollConfig, env).Run(ctx, out)
	}), nil
}

// resolver makes answers of what the API server returns. It belongs to the goroutine of one Run, or to the
// lookups of one, which never overlap.
type resolver struct {
	config Config
	env    strategy.Env
	api    *api
	logged ratelog.Limiter // what lasts is logged once
}

// warnOnce logs a warning of something that lasts, a single time.
func (r *resolver) warnOnce(what string, pairs ...any) {
	if r.logged.Allow(what, time.Now()) {
		r.env.Log.Warn(what, pairs...)
	}
}
