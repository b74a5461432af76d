package gossip

import (
	"slices"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

// startSecurity publishes what secures the streams. Where that can change it is checked until the node ends.
func (n *Node) startSecurity() {
	secured, ok := n.transport.(transport.Secured)
	if !ok {
		return
	}
	now := securityAt(secured.SecurityState(), n.coreTime())
	n.security.publish(now)
	if now.Kind == transport.KindPlain || now.Kind == "" {
		return
	}
	n.logSecurity(Security{}, now)
	n.tasks.Go(func() { n.runSecurity(secured) })
}

// securityAt returns a state with what holds of it at a moment.
func securityAt(s transport.SecurityState, now time.Time) Security {
	all := Security{SecurityState: s}
	lead := min(time.Duration(expiryShare*float64(s.NotAfter.Sub(s.NotBefore))), maxExpiryLead)
	switch left := s.NotAfter.Sub(now); {
	case s.NotAfter.IsZero() || left > lead:
	case left > 0:
		all.Expiry = ExpirySoon
	default:
		all.Expiry = ExpiryOver
	}
	return all
}

// runSecurity checks certificates, keys and streams until the node ends.
func (n *Node) runSecurity(secured transport.Secured) {
	ticker := time.NewTicker(securityEvery)
	defer ticker.Stop()
	for {
		select {
		case <-n.life.Done():
			return
		case <-ticker.C:
		case <-n.security.wake:
		}
		n.checkSecurity(secured, n.coreTime())
	}
}

// checkSecurity takes over what was replaced, and closes the streams whose other side would not be accepted any longer.
func (n *Node) checkSecurity(secured transport.Secured, at time.Time) {
	secured.RefreshSecurity(at)
	now := securityAt(secured.SecurityState(), at)
	before := n.security.publish(now)
	n.logSecurity(before, now)
	var peers []string
	var why error
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, s := range n.security.all() {
		if err := s.conn.(transport.Verifier).Verify(at); err != nil {
			wg.Go(s.close) // TLS sends an alert, which takes up to 5 s with a peer that does not read
			peers, why = append(peers, s.peer), err
		}
	}
	if len(peers) > 0 {
		n.count.streamsExpired.Add(uint64(len(peers)))
		slices.Sort(peers)
		n.log.Info("closed streams whose other side has to show another certificate or key", "streams", len(peers),
			"peers", slices.Compact(peers), "error", why)
	}
}

// logSecurity logs what has changed, and once a day that a certificate ends.
func (n *Node) logSecurity(before, now Security) {
	taken := !before.TakenOver.Equal(now.TakenOver)
	switch {
	case taken && now.Kind == transport.KindTLS:
		n.log.Info("certificates taken into use", "names", now.Names, "serial", now.Serial, "authorities", now.Authorities, "not_after", now.NotAfter)
	case taken && now.Kind == transport.KindPSK:
		n.log.Info("pre-shared keys taken into use", "dials_with", now.KeyIDs[0], "accepts", now.KeyIDs)
	case now.Err != nil && !now.Failed.Equal(before.Failed):
		n.log.Warn("certificates cannot be taken over; those before stay in use", "not_after", now.NotAfter, "error", now.Err)
	case now.Err == nil && before.Err != nil:
		n.log.Info("the files of certificates hold those in use again", "not_after", now.NotAfter)
	}
	n.logExpiry(before, now, taken)
}

func (n *Node) logExpiry(before, now Security, taken bool) {
	at, s := n.coreTime(), &n.security
	if now.Expiry == ExpiryNone || now.Expiry == before.Expiry && !taken && at.Sub(s.reported) < expiryRepeat {
		return
	}
	s.reported = at
	if now.Expiry == ExpiryOver {
		n.log.Error("the certificate of this node has ended; no member accepts it", "names", now.Names, "not_after", now.NotAfter)
		return
	}
	n.log.Warn("the certificate of this node ends soon; replace its files", "names", now.Names, "not_after", now.NotAfter)
}
