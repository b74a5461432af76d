package ops

import (
	"cmp"
	"context"
	"net/http"
	"slices"
)

// getShared answers with the keys of the shared map, those with a prefix if it is given.
func (a *API) getShared(_ context.Context, r *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	all := []Pair{}
	for key, value := range g.Shared().All(r.query.Get("prefix")) {
		if all, err = r.appendPair(all, pairOf("", key, value)); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b Pair) int { return cmp.Compare(a.Key, b.Key) })
	return all, nil
}

func (a *API) getSharedKey(_ context.Context, r *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	value, ok := g.Shared().Get(key)
	if !ok {
		return nil, problemf(http.StatusNotFound, "the shared map has no key %q", key)
	}
	return pairOf("", key, value), nil
}

// putSharedKey writes a key, if it has the value that is expected.
func (a *API) putSharedKey(ctx context.Context, r *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	key, w, err := r.write()
	switch {
	case err != nil:
		return nil, err
	case w.Session:
		return nil, problemf(http.StatusBadRequest, "session is for keys of the linearizable map alone")
	case w.given() && w.TTL != 0:
		return nil, problemf(http.StatusBadRequest, "ttl_seconds goes with neither expect nor absent")
	case !w.given():
		return nil, refusal(g.Shared().Set(ctx, key, string(*w.Value), ttlOf(w)...))
	}
	return nil, refusal(g.Shared().Update(ctx, key, func(old string, ok bool) (string, bool, error) {
		return string(*w.Value), true, w.check("shared map", key, old, ok)
	}))
}

func (a *API) deleteSharedKey(ctx context.Context, r *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	return nil, refusal(g.Shared().Delete(ctx, key))
}

// postSync answers when every member that is up has what this node wrote; else the error names those that are not known to have it.
func (a *API) postSync(ctx context.Context, _ *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	return nil, g.Shared().Sync(ctx)
}

// watchShared sends the keys of the shared map with a prefix, and then what changes.
func (a *API) watchShared(ctx context.Context, r *request, out *eventStream) error {
	g, err := a.gossipNode()
	if err != nil {
		return err
	}
	out.begin()
	for c := range g.Shared().Watch(ctx, r.query.Get("prefix")) {
		if err := out.send(EventPair, changeOf("", c.Key, c.Value, c.Gone)); err != nil {
			return err
		}
	}
	return endOf(ctx, g.Err())
}
