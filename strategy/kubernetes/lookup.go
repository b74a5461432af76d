package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/klog/v2"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy/internal/podenv"
)

const (
	pageSize = 500 // objects
	maxPages = maxObjects / pageSize
)

// lookup lists all namespaces once, for watch: false.
func (r *resolver) lookup(ctx context.Context) ([]peer.Peer, error) {
	if d := r.api.retryDelay(); d > 0 {
		return nil, fmt.Errorf("the API server asked for a pause, which lasts %v more", d.Round(time.Second))
	}
	client, own, err := r.api.connect()
	if err != nil {
		return nil, err
	}
	namespaces := r.config.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{own}
	}
	found := make([][]*candidate, len(namespaces))
	errs := make([]error, len(namespaces))
	var wg sync.WaitGroup
	for i, ns := range namespaces {
		wg.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					errs[i] = fmt.Errorf("list %s in namespace %s: panic: %v", r.config.Source, ns, v)
				}
			}()
			found[i], errs[i] = r.listNamespace(ctx, client, ns)
		})
	}
	wg.Wait()
	var all []*candidate
	for _, some := range found {
		all = append(all, some...)
	}
	err = errors.Join(errs...)
	peers, bad := r.buildAnswer(all, err == nil)
	return peers, errors.Join(err, bad)
}

// listNamespace reads a namespace page by page. With an error it returns what came before.
func (r *resolver) listNamespace(ctx context.Context, client *dynamic.DynamicClient, ns string) ([]*candidate, error) {
	ctx, cancel := withAbort(klog.NewContext(ctx, r.klogLogger()))
	defer cancel(nil)
	var all []*candidate
	var bad []error
	options := r.addSelectors(metav1.ListOptions{ResourceVersion: "0", Limit: pageSize})
	for page := 1; ; page++ {
		list, err := client.Resource(resources[r.config.Source]).Namespace(ns).List(ctx, options)
		if err != nil {
			return r.config.certainCandidates(all), r.api.requestError("list", ns, causeOf(ctx, err))
		}
		for i := range list.Items {
			it := r.config.readObject(&list.Items[i])
			all = append(all, it.candidates...)
			if it.err != nil {
				bad = append(bad, it.err)
			}
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return all, firstOf(bad)
		}
		if page == maxPages {
			return r.config.certainCandidates(all), r.api.requestError("list", ns, errTooMany)
		}
		options.ResourceVersion = "" // a continuation carries its own
	}
}

// addSelectors adds what to select by.
func (r *resolver) addSelectors(o metav1.ListOptions) metav1.ListOptions {
	o.LabelSelector, o.FieldSelector = r.config.labelSelector(), r.config.FieldSelector
	return o
}

// requestError adds which request failed and, if it was refused, what it needs.
func (a *api) requestError(verb, ns string, err error) error {
	return fmt.Errorf("%s %s in namespace %s: %w", verb, a.config.Source, ns, a.explainRefusal(withoutURL(err), ns))
}

// causeOf returns why a request failed: the reason its round was ended for, or its own error.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// buildAnswer makes the answer of all that was found. all means that nothing is missing.
func (r *resolver) buildAnswer(found []*candidate, all bool) ([]peer.Peer, error) {
	m := &peerBuilder{config: r.config, ipv6: r.prefersIPv6()}
	name := r.config.Name
	if name == "" {
		name = "{name}"
		if len(r.config.Namespaces) > 1 {
			name = "{name}.{namespace}"
		}
	}
	m.name, _ = parseTemplate(name) // Validate has parsed it
	if r.config.Mode != IP {
		if m.domain = r.config.Domain; m.domain == "" {
			m.domain, _ = podenv.ClusterDomain(searchNames(resolvConf))
		}
	}
	found, undecided := r.withPorts(found)
	peers, bad := m.buildPeers(found)
	bad = errors.Join(undecided, bad)
	if m.nameless > 0 {
		r.warnOnce("endpoints without a name of this mode are left out; mode: ip finds them",
			"mode", string(r.config.Mode), "count", m.nameless)
	}
	if all && bad == nil && len(peers) == 0 {
		r.warnOnce("no peer is found; compare with what kubectl shows", "source", string(r.config.Source),
			"selector", r.config.labelSelector(), "fields", r.config.FieldSelector, "candidates", len(found), "of_other_version", m.other)
	}
	return peers, bad
}

// objectsOf returns the objects of a page.
func objectsOf(list *unstructured.UnstructuredList) []any {
	kept := make([]any, 0, len(list.Items))
	for i := range list.Items {
		kept = append(kept, &list.Items[i])
	}
	return kept
}
