package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
)

const (
	noticeDelay = time.Second // after the first peer, so that peers of one moment share a line
	noticeNames = 3           // peers that a line names

	minLogGap = 10 * time.Second // between two lines of one kind, doubling
	maxLogGap = 10 * time.Minute // up to this while they keep coming,
	logQuiet  = 2 * time.Minute  // until there was none for this time, or two gaps
)

// pacer spaces the lines of one kind: they come more and more rarely while they keep coming.
type pacer struct {
	logged time.Time // the last line
	gap    time.Duration
}

// next returns the time before which no line of this kind may come.
func (p *pacer) next() time.Time { return p.logged.Add(p.gap) }

// passed takes note of a line.
func (p *pacer) passed(now time.Time) {
	if !p.logged.IsZero() && now.Sub(p.logged) < max(2*p.gap, logQuiet) {
		p.gap = min(2*p.gap, maxLogGap)
	} else {
		p.gap = minLogGap
	}
	p.logged = now
}

// noticeKind is something that happens to single peers. In a cluster of N nodes it may happen N times on each, so the log
// has a line for each peer at level DEBUG and one for many of them at the level given here.
type noticeKind struct {
	level hclog.Level
	one   string // at level DEBUG, for each peer
	many  string
}

var (
	noteConnected   = &noticeKind{hclog.Info, "peer connected", "peers connected"}
	noteLost        = &noticeKind{hclog.Info, "peer lost", "peers lost"}
	noteDropped     = &noticeKind{hclog.Info, "peer disconnected because it is no longer found", "peers disconnected because they are no longer found"}
	noteForgotten   = &noticeKind{hclog.Info, "peer given up because no answer names it", "peers given up because no answer names them"}
	noteUnreachable = &noticeKind{hclog.Warn, "peer cannot be reached", "peers cannot be reached; they are dialled again"}
	noteForeign     = &noticeKind{hclog.Warn, "peer belongs to another cluster", "peers belong to another cluster"}
	noteUntrusted   = &noticeKind{hclog.Warn, "peer has other keys or certificates", "peers have other keys or certificates than this node"}
	noteUnlisted    = &noticeKind{hclog.Warn, "peer is not listed although it was connected", "peers are not listed although they were connected; return from List the address that was dialled, or the ID"}
	noteStays       = &noticeKind{hclog.Warn, "peer cannot be disconnected", "peers cannot be disconnected; it is tried again more and more rarely"}
	noteOverdue     = &noticeKind{hclog.Warn, "call did not return by its deadline", "calls did not return by their deadline; each peer is called again when its call has returned"}
)

// notices are what the log has not reported yet. The supervisor's mu guards them.
type notices struct {
	pending map[noticeKey]*notice
	wake    chan struct{} // of one: a first peer was noted
}

type noticeKey struct {
	topology string
	kind     *noticeKind
}

// notice is one kind of news about the peers of one topology.
type notice struct {
	pacer
	peers []peer.Peer // since the last line, each once
	addrs map[string]bool
	err   error     // of the first one
	due   time.Time // of the next line
}

func (n *notices) init() {
	n.pending = make(map[noticeKey]*notice)
	n.wake = make(chan struct{}, 1)
}

// note logs what happened to a peer at level DEBUG, and counts it for the next line about many. mu is held.
func (s *Supervisor) note(kind *noticeKind, topology string, p peer.Peer, err error) {
	if s.log.IsDebug() {
		s.log.Debug(kind.one, append([]any{"topology", topology, "peer", p}, errorArgs(err)...)...)
	}
	key := noticeKey{topology, kind}
	n := s.notices.pending[key]
	if n == nil {
		n = &notice{addrs: make(map[string]bool)}
		s.notices.pending[key] = n
	}
	if n.addrs[p.Addr] {
		return
	}
	n.addrs[p.Addr] = true
	if n.peers = append(n.peers, p); len(n.peers) > 1 {
		return
	}
	n.err, n.due = err, time.Now().Add(noticeDelay)
	if next := n.next(); next.After(n.due) {
		n.due = next
	}
	select {
	case s.notices.wake <- struct{}{}:
	default:
	}
}

// noticeLine is a line about many peers.
type noticeLine struct {
	noticeKey
	args []any
}

// logNotices writes the lines that are due, or all, in a fixed order. It returns the time of the next; zero if none waits.
func (s *Supervisor) logNotices(now time.Time, all bool) (next time.Time) {
	s.mu.Lock()
	due, next := s.notices.take(now, all)
	s.mu.Unlock() // a log writer may be slow
	for _, line := range due {
		s.log.Log(line.kind.level, line.kind.many, line.args...)
	}
	return next
}

// take returns the lines that are due, or all, and the time of the next.
func (n *notices) take(now time.Time, all bool) (due []noticeLine, next time.Time) {
	for key, one := range n.pending {
		switch {
		case len(one.peers) == 0:
			if now.Sub(one.logged) > 2*maxLogGap {
				delete(n.pending, key)
			}
		case all || !one.due.After(now):
			args := []any{"topology", key.topology, "count", len(one.peers), "peers", nameSome(one.peers)}
			due = append(due, noticeLine{key, append(args, errorArgs(one.err)...)})
			one.passed(now)
			one.peers, one.err = nil, nil
			clear(one.addrs)
		case next.IsZero() || one.due.Before(next):
			next = one.due
		}
	}
	slices.SortFunc(due, func(a, b noticeLine) int {
		return cmp.Or(cmp.Compare(a.topology, b.topology), cmp.Compare(a.kind.many, b.kind.many))
	})
	return due, next
}

// nameSome names a few peers and counts the others: "a, b and 28 more".
func nameSome(peers []peer.Peer) string {
	var names []string
	for _, p := range peers {
		names = append(names, p.String())
	}
	if len(names) <= noticeNames {
		return strings.Join(names, ", ")
	}
	shown := noticeNames - 1
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// errorArgs returns the pairs that a log line has of an error, with the stack if it was a panic.
func errorArgs(err error) []any {
	if err == nil {
		return nil
	}
	args := []any{"error", err}
	var p *panicError
	if errors.As(err, &p) {
		args = append(args, "stack", p.stack)
	}
	return args
}
