package multicast

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/goconvoke/convoke/strategy"
)

// Heard is one datagram as [Listen] reports it. What could not be read is zero.
type Heard struct {
	At         time.Time
	From       netip.AddrPort
	Interface  string // name, "" if unknown
	Family     string // "ipv4" or "ipv6"
	Size       int    // bytes; 513 stands for all that are longer than 512
	Verdict    string // "accepted", or why a node would drop it
	Cluster    bool   // it carries the hash of our cluster ID
	Node       string // name of the sender, "" if it has none
	Addrs      []string
	Generation int64 // start of the sender, nanoseconds since 1970
	Seq        uint64
	Leave      bool // the sender leaves
}

// Listen reports every datagram that arrives at the port, with the outcome that a node with this
// configuration and cluster ID would reach, until ctx is done. It sends nothing. each is called by one
// goroutine; while it runs, nothing is received. Sockets that fail are reopened; the error is that of ctx, or that
// nothing could be opened at all.
func Listen(ctx context.Context, c Config, env strategy.Env, each func(Heard)) error {
	if env.ClusterID == "" {
		return errNoCluster
	}
	configured, err := Kind.Configure(c)
	if err != nil {
		return err
	}
	made, err := configured.New(env)
	if err != nil {
		return err
	}
	return made.(*discoverer).listenUntil(ctx, each) //nolint:forcetypeassert // Kind makes no other
}

func (s *discoverer) listenUntil(ctx context.Context, each func(Heard)) error {
	st := newSockets(s.config, s.network, s.env.Log, newFilter(s.config, s.codec, 0))
	st.everything = true
	defer st.close()
	st.maintainSockets(time.Now())
	if errs, unable := st.collectFaults(); unable {
		return errors.Join(errs...)
	}
	timer := time.NewTimer(time.Until(st.nextMaintenance()))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-st.arrivals:
			each(st.describeArrival(&a))
		case b := <-st.broken:
			if st.loseSocket(b, time.Now()) {
				s.env.Log.Warn("socket lost", "error", b.err)
			}
		case <-timer.C:
			st.maintainSockets(time.Now())
		}
		timer.Reset(time.Until(st.nextMaintenance()))
	}
}

func (s *sockets) describeArrival(a *received) Heard {
	p := &a.packet
	return Heard{
		At:         a.time,
		From:       a.from,
		Interface:  s.interfaceName(a.iface),
		Family:     a.family.String(),
		Size:       a.size,
		Verdict:    a.dropReason.String(),
		Cluster:    slices.Contains(ofCluster, a.dropReason),
		Node:       p.Node,
		Addrs:      p.Addrs,
		Generation: p.Generation,
		Seq:        p.Seq,
		Leave:      p.leaves(),
	}
}

// ofCluster are the outcomes that only a packet with the right cluster hash gets.
var ofCluster = []dropReason{accepted, own, badKey, badPlain, badReplay, badSkew, badRate, full, badDestination, malformed, stale}
