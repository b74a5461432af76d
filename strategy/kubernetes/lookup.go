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
func (f *finder) lookup(ctx context.Context) ([]peer.Peer, error) {
	if d := f.api.pause(); d > 0 {
		return nil, fmt.Errorf("the API server wants to be left alone for %v more", d.Round(time.Second))
	}
	client, own, err := f.api.connect()
	if err != nil {
		return nil, err
	}
	namespaces := f.config.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{own}
	}
	found := make([][]*candidate, len(namespaces))
	errs := make([]error, len(namespaces))
	var wg sync.WaitGroup
	for i, ns := range namespaces {
		wg.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					errs[i] = fmt.Errorf("list %s in namespace %s: panic: %v", f.config.Source, ns, r)
				}
			}()
			found[i], errs[i] = f.list(ctx, client, ns)
		})
	}
	wg.Wait()
	var all []*candidate
	for _, some := range found {
		all = append(all, some...)
	}
	err = errors.Join(errs...)
	peers, bad := f.peers(all, err == nil)
	return peers, errors.Join(err, bad)
}

// list reads a namespace page by page. With an error it returns what came before.
func (f *finder) list(ctx context.Context, client *dynamic.DynamicClient, ns string) ([]*candidate, error) {
	ctx, cancel := abortable(klog.NewContext(ctx, f.logger()))
	defer cancel(nil)
	var all []*candidate
	var bad []error
	options := f.options(metav1.ListOptions{ResourceVersion: "0", Limit: pageSize})
	for page := 1; ; page++ {
		list, err := client.Resource(resources[f.config.Source]).Namespace(ns).List(ctx, options)
		if err != nil {
			return f.config.certain(all), f.api.failed("list", ns, causeOf(ctx, err))
		}
		for i := range list.Items {
			it := f.config.read(&list.Items[i])
			all = append(all, it.candidates...)
			if it.err != nil {
				bad = append(bad, it.err)
			}
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return all, firstOf(bad)
		}
		if page == maxPages {
			return f.config.certain(all), f.api.failed("list", ns, errTooMany)
		}
		options.ResourceVersion = "" // a continuation carries its own
	}
}

// options adds what to select by.
func (f *finder) options(o metav1.ListOptions) metav1.ListOptions {
	o.LabelSelector, o.FieldSelector = f.config.labelSelector(), f.config.FieldSelector
	return o
}

// failed says which request failed and, if it was refused, what it needs.
func (a *api) failed(verb, ns string, err error) error {
	return fmt.Errorf("%s %s in namespace %s: %w", verb, a.config.Source, ns, a.explain(withoutURL(err), ns))
}

// causeOf returns why a request failed: the reason its round was ended for, or its own error.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// peers makes the answer of all that was found. all says that nothing is missing.
func (f *finder) peers(found []*candidate, all bool) ([]peer.Peer, error) {
	m := &maker{config: f.config, ipv6: f.prefersIPv6()}
	name := f.config.Name
	if name == "" {
		name = "{name}"
		if len(f.config.Namespaces) > 1 {
			name = "{name}.{namespace}"
		}
	}
	m.name, _ = parseTemplate(name) // Validate has parsed it
	if f.config.Mode != IP {
		if m.domain = f.config.Domain; m.domain == "" {
			m.domain, _ = podenv.ClusterDomain(searchNames(resolvConf))
		}
	}
	found, undecided := f.withPorts(found)
	peers, bad := m.peers(found)
	bad = errors.Join(undecided, bad)
	if m.nameless > 0 {
		f.warnOnce("endpoints without a name of this mode are left out; mode: ip finds them",
			"mode", string(f.config.Mode), "count", m.nameless)
	}
	if all && bad == nil && len(peers) == 0 {
		f.warnOnce("nobody is found; compare with what kubectl shows", "source", string(f.config.Source),
			"selector", f.config.labelSelector(), "fields", f.config.FieldSelector, "candidates", len(found), "of_other_version", m.other)
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
