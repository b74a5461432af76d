package ops

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/goconvoke/convoke/gossip"
)

// maxPairs bounds the keys of one answer.
const maxPairs = 100_000

// getKeys answers with the keys of all members.
func (a *API) getKeys(_ context.Context, r *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	all := []Pair{}
	for m := range g.View().All() {
		if all, err = appendKeys(all, m, r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// getMemberKeys answers with the keys of a member.
func (a *API) getMemberKeys(_ context.Context, r *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	m, err := memberNamed(g, r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return appendKeys([]Pair{}, m, r)
}

func appendKeys(all []Pair, m *gossip.Member, r *request) ([]Pair, error) {
	for key, value := range m.Keys() {
		var err error
		if all, err = r.appendPair(all, pairOf(m.Name, key, value)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// appendPair adds a key of a list, with its value if that is asked for and may be shown.
func (r *request) appendPair(all []Pair, p Pair) ([]Pair, error) {
	switch {
	case len(all) == maxPairs:
		return nil, problemf(http.StatusUnprocessableEntity, "there are more than %d keys: ask for a member or a prefix", maxPairs)
	case !r.flag("values"):
		p.Value = nil
	case r.access < Values:
		return nil, errDenied(Values)
	}
	return append(all, p), nil
}

// getMemberKey answers with a key of a member.
func (a *API) getMemberKey(_ context.Context, r *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	m, err := memberNamed(g, r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	value, ok := m.Get(key)
	if !ok {
		return nil, problemf(http.StatusNotFound, "%q publishes no key %q", m.Name, key)
	}
	return pairOf(m.Name, key, value), nil
}

// putKey publishes a key of this node.
func (a *API) putKey(ctx context.Context, r *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	key, w, err := r.write()
	if err != nil {
		return nil, err
	}
	if w.given() || w.Session {
		return nil, problemf(http.StatusBadRequest, "a key of this node takes value and ttl_seconds alone")
	}
	if err := g.Set(ctx, key, string(*w.Value), ttlOf(w)...); err != nil {
		return nil, refusal(err)
	}
	awaitSeen(ctx, g, key, func(value string, ok bool) bool { return ok && value == string(*w.Value) })
	return nil, nil
}

func ttlOf(w KeyWrite) []gossip.SetOption {
	if w.TTL == 0 {
		return nil
	}
	return []gossip.SetOption{gossip.TTL(secondsOf(w.TTL))}
}

// deleteKey withdraws a key of this node.
func (a *API) deleteKey(ctx context.Context, r *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	if err := g.Delete(ctx, key); err != nil {
		return nil, refusal(err)
	}
	awaitSeen(ctx, g, key, func(_ string, ok bool) bool { return !ok })
	return nil, nil
}

// awaitSeen returns when a key of this node is as it was written in its view too, so that the next request reads it; or soon, since
// another client may have written it again.
func awaitSeen(ctx context.Context, g *gossip.Node, key string, is func(value string, ok bool) bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for range g.Watch(ctx) {
		if is(g.Get(g.Name(), key)) {
			return
		}
	}
}

// watchKeys sends the keys of all members, and then what changes.
func (a *API) watchKeys(ctx context.Context, _ *request, out *eventStream) error {
	g, err := a.gossipNode()
	if err != nil {
		return err
	}
	out.begin()
	for c := range g.WatchKeys(ctx, "", "") {
		if err := out.send(EventPair, changeOf(c.Member, c.Key, c.Value, c.Gone)); err != nil {
			return err
		}
	}
	return endOf(ctx, g.Err())
}

// endOf returns why a stream has ended; nil if its client has closed it, or the node has stopped.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, gossip.ErrStopped) {
		return nil
	}
	return WithStatus(http.StatusServiceUnavailable, err)
}
