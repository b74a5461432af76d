package gossip

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
)

// Agreement says who has the same state as this node, by content and not by version numbers: records and shared map.
type Agreement struct {
	Same   []string // names of members, this node included, sorted
	Differ []string // in records or in the shared map; normal for a moment after a change
	Silent []string // no answer within the deadline
}

// askAtOnce bounds the members that are asked at the same time.
const askAtOnce = 16

// Agreement asks every member that is up for the hashes of its state, each over a stream of its own, until the deadline of ctx. It
// is an error only if ctx ends before any was asked.
func (n *Node) Agreement(ctx context.Context) (Agreement, error) {
	if err := ctx.Err(); err != nil {
		return Agreement{}, fmt.Errorf("gossip: agreement: %w", err)
	}
	a := Agreement{Same: []string{n.config.Name}}
	for id, r := range n.askAll(ctx, n.others(), nil) {
		v := n.View()
		switch {
		case r.err != nil:
			a.Silent = append(a.Silent, id)
		case r.answer.Hash == v.Hash && r.answer.Shared == v.Shared:
			a.Same = append(a.Same, id)
		default:
			a.Differ = append(a.Differ, id)
		}
	}
	slices.Sort(a.Same)
	slices.Sort(a.Differ)
	slices.Sort(a.Silent)
	return a, nil
}

// others returns the addresses of the members that are up but this node, by name.
func (n *Node) others() map[string]string {
	all := map[string]string{}
	for _, m := range n.View().Members {
		if isUp(m) && m.ID != n.config.Name {
			all[m.ID] = m.Addr
		}
	}
	return all
}

// reply is what came of asking a member.
type reply struct {
	answer *core.Answer
	err    error
}

// askAll asks members, some at a time, until ctx ends.
func (n *Node) askAll(ctx context.Context, members map[string]string, versions []core.SharedVersion) map[string]reply {
	replies := make(map[string]reply, len(members))
	var mu sync.Mutex
	var tasks sync.WaitGroup
	slots := make(chan struct{}, askAtOnce)
	for id, addr := range members {
		tasks.Go(func() {
			r := reply{err: context.Canceled}
			select {
			case slots <- struct{}{}:
				r.answer, r.err = n.ask(ctx, id, addr, versions)
				<-slots
			case <-ctx.Done():
				r.err = context.Cause(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			replies[id] = r
		})
	}
	tasks.Wait()
	return replies
}

var errOtherNode = errors.New("another node answered")

// ask calls a member and hears what it has.
func (n *Node) ask(ctx context.Context, id, addr string, versions []core.SharedVersion) (*core.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, n.tuning.DialTimeout)
	defer cancel()
	defer context.AfterFunc(n.life, cancel)()
	s, hello, err := n.call(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if hello.ID != id {
		return nil, fmt.Errorf("%s: %w: %q", addr, errOtherNode, hello.ID)
	}
	if err := s.write(&core.Ask{Versions: versions}); err != nil {
		return nil, err
	}
	f, err := s.read()
	if err != nil {
		return nil, err
	}
	answer, ok := f.(*core.Answer)
	if !ok {
		return nil, fmt.Errorf("%s: no answer but a %T", addr, f)
	}
	return answer, nil
}

// answerAsk tells who asked what this node has.
func (n *Node) answerAsk(s *stream, ask *core.Ask) {
	v := n.View()
	a := &core.Answer{Hash: v.Hash, Shared: v.Shared}
	for _, w := range ask.Versions {
		e := n.shared.entry(w.ID)
		if e == nil || e.Stamp < w.Stamp || e.Stamp == w.Stamp && e.Writer < w.Writer {
			a.Lacks++
		}
	}
	_ = s.write(a)  // who asked hears nothing otherwise, and knows what that means
	_, _ = s.read() // until it hangs up: what is closed with bytes under way may lose them
	_ = s.Close()
}

// Sync returns when every member that is up has what this node wrote to the shared map before, or with an error that names those who
// have not when ctx ends. Members that are down get it when they are back.
func (s *Shared) Sync(ctx context.Context) error {
	versions, whole := s.written()
	left := s.node.others()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		up := s.node.others()
		maps.DeleteFunc(left, func(id, _ string) bool { _, ok := up[id]; return !ok })
		for id, r := range s.node.askAll(ctx, left, versions) {
			if r.err == nil && r.answer.Lacks == 0 && (!whole || r.answer.Shared == s.node.View().Shared) {
				delete(left, id)
			}
		}
		if len(left) == 0 {
			s.synced(versions)
			return nil
		}
		select {
		case <-time.After(wait):
		case <-s.node.done:
			return s.node.err
		case <-ctx.Done():
			return fmt.Errorf("gossip: sync: not known to have it all: %s: %w", strings.Join(slices.Sorted(maps.Keys(left)), ", "), context.Cause(ctx))
		}
	}
}

// written returns the own writes not yet known to be everywhere; whole says that there are too many, so that the maps must be equal.
func (s *Shared) written() (versions []core.SharedVersion, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.unsynced {
		versions = append(versions, v)
	}
	return versions, s.unsynced == nil
}

// synced forgets the writes that are everywhere.
func (s *Shared) synced(versions []core.SharedVersion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsynced == nil {
		s.unsynced = map[string]core.SharedVersion{}
	}
	done := map[core.SharedVersion]bool{}
	for _, v := range versions {
		done[v] = true
	}
	maps.DeleteFunc(s.unsynced, func(_ string, v core.SharedVersion) bool { return done[v] })
}
