//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package local

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// localNode is one Run. It belongs to the lookups, which never overlap, and to runNode after the last one.
type localNode struct {
	config  Config
	cluster string
	self    func() []peer.Peer
	log     hclog.Logger
	started time.Time

	held  *lockedFile // nil while not registered
	name  string      // as registered
	addrs []string    // as registered
}

func runNode(ctx context.Context, c Config, env strategy.Env, out strategy.Sink) error {
	n := &localNode{config: c, cluster: env.ClusterID, self: env.Self, log: env.Log, started: time.Now()}
	poll := c.PollConfig
	poll.Wake = env.SelfChanged
	poll.MaxBackoff = max(poll.Interval, time.Second) // reading a directory costs nothing
	err := strategy.Poll(n.lookup, poll, env).Run(ctx, out)
	return errors.Join(err, n.unregister())
}

// lookup registers this node if need be and returns the others.
func (n *localNode) lookup(context.Context) ([]peer.Peer, error) {
	dir, err := openDir(n.config.Dir, n.cluster)
	if err != nil {
		return nil, err
	}
	own, errOwn := n.register(dir)
	alive, err := scanRegistrations(dir, n.cluster)
	return otherPeers(alive, own), errors.Join(errOwn, err)
}

// register brings the registration up to date with the own addresses, which it returns.
func (n *localNode) register(dir string) ([]string, error) {
	name, addrs, err := localAddrs(n.self())
	if len(addrs) == 0 {
		return n.addrs, err // not known yet, or not any more: the last ones are the best guess
	}
	if n.held != nil && name == n.name && slices.Equal(addrs, n.addrs) && n.held.inPlace() {
		return addrs, err
	}
	content, errNew := registration{
		Version: formatVersion, Cluster: n.cluster, Name: name, Addrs: addrs,
		PID: os.Getpid(), Started: n.started,
	}.encode()
	if errNew != nil {
		return addrs, errors.Join(err, errNew)
	}
	fresh, errNew := createLocked(dir, content)
	if errNew != nil {
		return addrs, errors.Join(err, errNew)
	}
	err = errors.Join(err, n.unregister())
	n.held, n.name, n.addrs = fresh, name, addrs
	n.log.Debug("registered", "addr", addrs[0])
	return addrs, err
}

func (n *localNode) unregister() error {
	if n.held == nil {
		return nil
	}
	h := n.held
	n.held = nil
	return h.release()
}

// otherPeers returns a peer for each registration that shares no address with own, sorted, one for
// each address; the oldest registration of an address counts last, so that a restarted node's new name wins.
func otherPeers(alive []registration, own []string) []peer.Peer {
	slices.SortFunc(alive, func(a, b registration) int {
		return cmp.Or(cmp.Compare(a.Addrs[0], b.Addrs[0]), b.Started.Compare(a.Started), cmp.Compare(a.Name, b.Name))
	})
	peers := []peer.Peer{}
	for _, reg := range alive {
		if slices.ContainsFunc(reg.Addrs, func(a string) bool { return slices.Contains(own, a) }) {
			continue
		}
		if k := len(peers); k > 0 && peers[k-1].Addr == reg.Addrs[0] {
			continue
		}
		peers = append(peers, peer.Peer{Addr: reg.Addrs[0], ID: reg.Name})
	}
	return peers
}
