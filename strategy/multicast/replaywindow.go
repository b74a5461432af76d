package multicast

import "time"

const (
	maxWindows = 4 * maxPeers // senders whose windows are kept: also of those that left a while ago
	maxSkew    = 5 * time.Minute
)

// replayWindow is the replay protection for one sender, the sliding window of IPsec (RFC 4303, section 3.4.3): it accepts each sequence
// number once, in any order within the last 64, and rejects everything older. Sequence numbers start at 1 with each run, whose
// random instance is in the packet, so no state has to survive a restart. What a window forgets after keep is rejected by the
// time in the packet instead, which may differ by maxSkew at most.
type replayWindow struct {
	last   uint64 // highest sequence number heard
	seen   uint64 // bit i: last-i was heard
	gone   bool   // the node announced that it leaves: nothing else comes after it
	active time.Time
	keep   time.Duration // after active
	known  allowance     // of packets after the first
}

// admit reports whether seq is new, and marks it as heard.
func (w *replayWindow) admit(seq uint64) bool {
	switch {
	case seq == 0:
		return false
	case seq > w.last:
		if shift := seq - w.last; shift < 64 {
			w.seen = w.seen<<shift | 1
		} else {
			w.seen = 1
		}
		w.last = seq
		return true
	case w.last-seq >= 64:
		return false
	}
	bit := uint64(1) << (w.last - seq)
	fresh := w.seen&bit == 0
	w.seen |= bit
	return fresh
}

// replayWindows holds the replay windows of all senders, at most maxWindows. A window is kept for keep
// after its last packet, longer if its sender has a long interval. With keys that is as long as a recorded packet would still pass the check of
// its time, so that a replay cannot make a node that left appear again.
type replayWindows struct {
	keep  time.Duration
	of    map[uint64]*replayWindow // by instance
	swept time.Time                // when removeSilent last looked
}

func newWindows(keep time.Duration) *replayWindows {
	return &replayWindows{keep: keep, of: make(map[uint64]*replayWindow)}
}

// admit judges a packet by its sender and sequence number. free reports that it need not be counted against the address it came
// from: it is one of the few a second of a sender that is known.
func (ws *replayWindows) admit(p *packet, now time.Time) (v dropReason, free bool) {
	w := ws.of[p.Instance]
	known := w != nil
	if !known {
		ws.removeSilent(now)
		if len(ws.of) >= maxWindows {
			return full, false
		}
		w = &replayWindow{}
		ws.of[p.Instance] = w
	}
	if w.gone && !p.leaves() || !w.admit(p.Seq) {
		return badReplay, false
	}
	w.active, w.gone = now, p.leaves()
	w.keep = max(ws.keep, (missedHeartbeats+1)*p.interval())
	return accepted, known && w.known.take(now)
}

// removeSilent drops the windows of silent senders, at most once a second.
func (ws *replayWindows) removeSilent(now time.Time) {
	if now.Sub(ws.swept) < time.Second {
		return
	}
	ws.swept = now
	for instance, w := range ws.of {
		if now.Sub(w.active) > w.keep {
			delete(ws.of, instance)
		}
	}
}
