//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package local

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

func TestContract(t *testing.T) {
	strategytest.Run(t, strategytest.Subject{Kind: Kind, Setup: source})
}

// otherProcesses registers nodes as other processes would: their locks are not those of the Run under test.
type otherProcesses struct {
	tb   testing.TB
	root string
	all  []*lockedFile
}

// source answers with registered neighbours of a node at 127.0.0.1:7000.
func source(tb testing.TB) *strategytest.Source {
	n := &otherProcesses{tb: tb, root: filepath.Join(tb.TempDir(), "convoke")}
	tb.Cleanup(n.clear)
	self := []peer.Peer{{Addr: "127.0.0.1:7000"}}
	return &strategytest.Source{
		Config: "dir: " + n.root,
		Env: strategy.Env{
			ClusterID: "orders",
			Self: func() []peer.Peer {
				if self == nil {
					panic("self asked to panic")
				}
				return self
			},
		},
		Answer:  func(peers []peer.Peer) { n.clear(); n.register(peers) },
		Empty:   n.clear,
		Partial: func(peers []peer.Peer, _ error) { n.clear(); n.register(peers); n.write([]byte("{")) },
		Break:   func(error) { n.chmod(0o777) },
		Garbage: func() { n.write([]byte("{")) },
		Panic:   func() { self = nil },
	}
}

// dir makes the directory of the cluster if it is missing.
func (n *otherProcesses) dir() string {
	n.tb.Helper()
	dir, err := openDir(n.root, "orders")
	if err != nil {
		n.tb.Fatal(err)
	}
	return dir
}

func (n *otherProcesses) chmod(mode os.FileMode) {
	n.tb.Helper()
	if err := os.MkdirAll(n.root, 0o700); err != nil {
		n.tb.Fatal(err)
	}
	if err := os.Chmod(n.root, mode); err != nil {
		n.tb.Fatal(err)
	}
}

func (n *otherProcesses) register(peers []peer.Peer) {
	n.tb.Helper()
	for _, p := range peers {
		content, err := registration{Version: formatVersion, Cluster: "orders", Name: p.ID, Addrs: []string{p.Addr}}.encode()
		if err != nil {
			n.tb.Fatal(err)
		}
		n.write(content)
	}
}

func (n *otherProcesses) write(content []byte) *lockedFile {
	n.tb.Helper()
	h, err := createLocked(n.dir(), content)
	if err != nil {
		n.tb.Fatal(err)
	}
	n.all = append(n.all, h)
	return h
}

// clear lets every node leave and repairs the directory.
func (n *otherProcesses) clear() {
	n.tb.Helper()
	n.chmod(0o700)
	for _, h := range n.all {
		if err := h.release(); err != nil {
			n.tb.Error(err)
		}
	}
	n.all = nil
}
