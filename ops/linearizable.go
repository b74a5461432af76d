package ops

import (
	"context"
	"net/http"
)

// linearizable returns the map of the quorum.
func (a *API) linearizable() (Map, error) {
	if a.config.Quorum == nil {
		return nil, WithStatus(http.StatusNotFound, errNoSection)
	}
	return a.config.Quorum.Map()
}

func (a *API) getMapKey(ctx context.Context, r *request) (any, error) {
	m, err := a.linearizable()
	if err != nil {
		return nil, err
	}
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	value, ok, err := m.Get(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, problemf(http.StatusNotFound, "the map has no key %q", key)
	}
	return pairOf("", key, value), nil
}

// putMapKey writes a key, if it has the value that is expected.
func (a *API) putMapKey(ctx context.Context, r *request) (any, error) {
	m, err := a.linearizable()
	if err != nil {
		return nil, err
	}
	key, w, err := r.write()
	switch {
	case err != nil:
		return nil, err
	case w.TTL != 0:
		return nil, problemf(http.StatusBadRequest, "keys of the linearizable map have no ttl_seconds: session ends a key with this node")
	case !w.given():
		return nil, m.Set(ctx, key, string(*w.Value), w.Session)
	}
	return nil, m.Update(ctx, key, w.Session, func(old string, ok bool) (string, error) {
		return string(*w.Value), w.check("map", key, old, ok)
	})
}

func (a *API) deleteMapKey(ctx context.Context, r *request) (any, error) {
	m, err := a.linearizable()
	if err != nil {
		return nil, err
	}
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	return nil, m.Delete(ctx, key)
}

// watchMap sends the keys of the map with a prefix, and then what changes.
func (a *API) watchMap(ctx context.Context, r *request, out *eventStream) error {
	m, err := a.linearizable()
	if err != nil {
		return err
	}
	out.begin()
	err = m.Watch(ctx, r.query.Get("prefix"), func(p Pair) error { return out.send(EventPair, p) })
	return endOf(ctx, err)
}
