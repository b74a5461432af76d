package quorumlab

import (
	"context"
	"errors"
	"time"

	"github.com/goconvoke/convoke/quorum"
)

// actEvery is how often a holder acts.
const actEvery = 100 * time.Millisecond

// work works on a group until the quorum ends.
func (n *node) work(ctx context.Context, group string, level quorum.Level) {
	s, err := n.quorum.Shards(group, quorum.Settings{Count: Shards, Level: level})
	if err == nil {
		err = s.Work(ctx, n.hold)
	}
	if !errors.Is(err, quorum.ErrStopped) && ctx.Err() == nil {
		n.log.Error("work ended", "group", group, "err", err)
	}
}

// hold is the function of a shard: it acts at once, then all the time, and once more before it returns.
func (n *node) hold(ctx context.Context, h quorum.Hold) error {
	n.note("begin", h)
	defer n.note("end", h)
	ticker := time.NewTicker(actEvery)
	defer ticker.Stop()
	for {
		n.act(h)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			n.act(h)
			return nil
		}
	}
}

// act reports an effect if the process may act. Its time is read before the check: a process that is stopped between the two finds the lease over,
// and one that is stopped after them reports an effect that had the right when it began.
func (n *node) act(h quorum.Hold) {
	at := Now()
	if h.Valid() == nil {
		n.out.send(event{Kind: "act", At: at, Group: h.Group, Shard: h.Shard, Token: uint64(h.Token)})
	}
}

func (n *node) note(kind string, h quorum.Hold) {
	n.out.send(event{Kind: kind, At: Now(), Group: h.Group, Shard: h.Shard, Token: uint64(h.Token)})
}

// reportLeading reports each term that this node leads in, soon after it began.
func (n *node) reportLeading(ctx context.Context) {
	ticker := time.NewTicker(actEvery)
	defer ticker.Stop()
	for last := uint64(0); ; {
		if s, err := n.quorum.Status(ctx); err == nil && s.Role == "leader" && s.Term != last {
			last = s.Term
			n.out.send(event{Kind: "leads", At: Now(), Term: last})
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
