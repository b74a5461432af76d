package gossip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Agreement lists the members that have the same state as this node, by content and not by version numbers: records and shared map.
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
	ctx, sp := n.tracer.Start(ctx, "convoke.gossip.agreement")
	defer sp.End()
	a := Agreement{Same: []string{n.config.Name}}
	var mu sync.Mutex
	n.forEachMember(n.otherAddrs(), func(id, addr string) {
		answer, err := n.askMember(ctx, id, addr, nil)
		v := n.View()
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			a.Silent = append(a.Silent, id)
		case answer.Hash == v.Hash && answer.Shared == v.Shared:
			a.Same = append(a.Same, id)
		default:
			a.Differ = append(a.Differ, id)
		}
	})
	slices.Sort(a.Same)
	slices.Sort(a.Differ)
	slices.Sort(a.Silent)
	if sp.IsRecording() {
		sp.SetAttributes(attribute.Int("convoke.members.asked", len(a.Same)+len(a.Differ)+len(a.Silent)-1), attribute.Int("convoke.members.silent", len(a.Silent)))
	}
	return a, nil
}

// otherAddrs returns the addresses of the members that are up but this node, by name.
func (n *Node) otherAddrs() map[string]string {
	all := map[string]string{}
	for m := range n.View().All() {
		if m.Up() && m.Name != n.config.Name {
			all[m.Name] = m.Addr
		}
	}
	return all
}

// memberAddrs returns the addresses of all members that are known, this node included.
func (n *Node) memberAddrs() []string {
	var all []string
	for m := range n.View().All() {
		all = append(all, m.Addr)
	}
	return all
}

// forEachMember calls do for members, some at a time, and returns when all is done.
func (n *Node) forEachMember(members map[string]string, do func(id, addr string)) {
	var tasks sync.WaitGroup
	slots := make(chan struct{}, askAtOnce)
	for id, addr := range members {
		slots <- struct{}{}
		tasks.Go(func() {
			defer func() { <-slots }()
			do(id, addr)
		})
	}
	tasks.Wait()
}

var errOtherNode = errors.New("another node answered")

// askMember asks a member what it has.
func (n *Node) askMember(ctx context.Context, id, addr string, versions []core.SharedVersion) (answer *core.Answer, err error) {
	err = n.askAll(ctx, id, addr, [][]core.SharedVersion{versions}, func(a *core.Answer) { answer = a })
	return answer, err
}

// askAll asks a member several times what it has, over one stream, and calls heard with each answer. Each answer has DialTimeout.
func (n *Node) askAll(ctx context.Context, id, addr string, questions [][]core.SharedVersion, heard func(*core.Answer)) error {
	if len(questions) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.life, cancel)()
	late := time.AfterFunc(n.tuning.DialTimeout, cancel)
	defer late.Stop()
	s, hello, err := n.dialAddr(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if hello.ID != id {
		return fmt.Errorf("%s: %w: %q", addr, errOtherNode, hello.ID)
	}
	for _, versions := range questions {
		late.Reset(n.tuning.DialTimeout)
		if err := s.writeFrame(&core.Ask{Versions: versions}); err != nil {
			return err
		}
		f, err := s.readFrame()
		if err != nil {
			return err
		}
		answer, ok := f.(*core.Answer)
		if !ok {
			return fmt.Errorf("%s: no answer but a %T", addr, f)
		}
		heard(answer)
	}
	return nil
}

// answerAsk answers a node that asks what this one has, as often as it does, until it closes the stream: a stream that is closed here
// with bytes on their way may lose them.
func (n *Node) answerAsk(s *stream, ask *core.Ask) {
	defer func() { _ = s.Close() }()
	for ask != nil {
		_ = s.SetDeadline(time.Now().Add(acceptTimeout))
		v := n.View()
		a := &core.Answer{Hash: v.Hash, Shared: v.Shared}
		for _, w := range ask.Versions {
			e := n.shared.loadEntry(w.ID)
			if e == nil || e.Stamp < w.Stamp || e.Stamp == w.Stamp && e.Writer < w.Writer {
				a.Lacks++
			}
		}
		if s.writeFrame(a) != nil {
			return // the one that asked gets no answer, and knows what that means
		}
		f, err := s.readFrame()
		if err != nil {
			return
		}
		ask, _ = f.(*core.Ask)
	}
}

// Staleness is for how long some neighbour has had another state than this node: up to five heartbeats after a change, more when
// something keeps them apart, and 0 below twice Tuning.Heartbeat, or four times Tuning.Relax if that is more. It is 0 without
// neighbours, and costs nothing.
func (n *Node) Staleness() time.Duration {
	at := n.inStep.Load()
	if at == 0 {
		return 0
	}
	return max(0, n.coreTime().Sub(time.Unix(0, at)))
}
