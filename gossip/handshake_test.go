package gossip

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/gossip/transport"
)

func secured(s transport.Security) func(*Config) {
	return func(c *Config) { c.Transport = transport.TCP{Security: s} }
}

// unchecked has a node use a security that does not prove its name, as a node of another build may.
func unchecked(s transport.Security) func(*Config) {
	return func(c *Config) { c.Transport = struct{ transport.Transport }{transport.TCP{Security: s}} }
}

func preshared(t *testing.T, b byte) func(*Config) {
	t.Helper()
	p, err := transport.NewPSK(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return secured(p)
}

// meeting is a node that one of its own kind can join, and a stranger.
type meeting struct {
	n, friend, stranger func(*Config)
	atN, atStranger     Refusals // when the stranger dials, for each try
	back, backStranger  Refusals // when the node dials
	log                 string   // of the node
	err                 string   // of the stranger's Join
	foreign             bool     // which is an ErrForeign
}

func meetings(t *testing.T) map[string]meeting {
	ours, theirs := newAuthority(t), newAuthority(t)
	plain := func(*Config) {}
	home := secured(ours.node("n", time.Hour, ours))
	friend := secured(ours.node("friend", time.Hour, ours))
	return map[string]meeting{
		"another cluster": {plain, plain, func(c *Config) { c.ClusterID = "other" },
			Refusals{ForeignCluster: 1}, Refusals{ByPeer: 1}, Refusals{ByPeer: 1}, Refusals{ForeignCluster: 1},
			"another cluster", `cluster \"test\" meets cluster \"other\"`, true},
		"another pre-shared key": {preshared(t, 1), preshared(t, 1), preshared(t, 2),
			Refusals{Untrusted: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1},
			"not trusted", "another pre-shared key", true},
		"plain at a pre-shared key": {preshared(t, 1), preshared(t, 1), plain,
			Refusals{Untrusted: 1}, Refusals{BadHandshake: 1}, Refusals{Untrusted: 1}, Refusals{BadHandshake: 1},
			"not trusted", "may want TLS or a pre-shared key", false},
		"a pre-shared key at plain": {plain, plain, preshared(t, 1),
			Refusals{BadHandshake: 1}, Refusals{Untrusted: 1}, Refusals{BadHandshake: 1}, Refusals{Untrusted: 1},
			"does not speak the protocol", "another pre-shared key, or none", true},
		"plain at TLS": {home, friend, plain,
			Refusals{BadHandshake: 1}, Refusals{HungUp: 1}, Refusals{BadHandshake: 1}, Refusals{BadHandshake: 1},
			"does not speak the protocol", "may want TLS or a pre-shared key", false},
		"an expired certificate": {home, friend, secured(ours.node("stranger", -time.Minute, ours)),
			Refusals{Untrusted: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1},
			"has expired", "bad certificate", true},
		"a certificate of another authority": {home, friend, secured(theirs.node("stranger", time.Hour, ours, theirs)),
			Refusals{Untrusted: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1},
			"unknown authority", "bad certificate", true},
		"a certificate of another name": {home, friend, unchecked(ours.node("another", time.Hour, ours)),
			Refusals{Untrusted: 1}, Refusals{ByPeer: 1}, Refusals{Untrusted: 1}, Refusals{ByPeer: 1},
			"not that of", "not that of", true},
	}
}

// TestStrangersAreRefusedBothWays has a stranger and a node dial each other: both count it under its reason, the one that was
// dialled warns once, and its own kind still gets in.
func TestStrangersAreRefusedBothWays(t *testing.T) {
	for name, m := range meetings(t) {
		t.Run(name, func(t *testing.T) {
			n, log := victim(t, "n", m.n)
			stranger, _ := victim(t, "stranger", m.stranger)
			m.strangerDials(t, n, stranger)
			log.wantOnce(t, m.log)
			m.nodeDials(t, n, stranger)
			if up(n) != "n" || up(stranger) != "stranger" {
				t.Errorf("they see %q and %q", up(n), up(stranger))
			}
			wantJoin(t, n, m.friend)
			if got := stranger.Counters().Dialled; got < 2 || stranger.streams.count() != 0 {
				t.Errorf("the stranger dialled %d times, want the two of its own, at least", got)
			}
		})
	}
}

func (m meeting) strangerDials(t *testing.T, n, stranger *Node) {
	t.Helper()
	for range 2 {
		err := stranger.Join(t.Context(), n.Addr())
		if err == nil || !strings.Contains(err.Error(), m.err) || errors.Is(err, ErrForeign) != m.foreign {
			t.Errorf("Join of the stranger: %v, want %q in it, ErrForeign: %v", err, m.err, m.foreign)
		}
	}
	await(t, "the node counts it", func() bool { return n.Counters().Refused == m.atN.times(2) })
	if got := stranger.Counters().Refused; got != m.atStranger.times(2) {
		t.Errorf("the stranger counts %+v, want %+v", got, m.atStranger.times(2))
	}
}

func (m meeting) nodeDials(t *testing.T, n, stranger *Node) {
	t.Helper()
	before, strangerBefore := n.Counters().Refused, stranger.Counters().Refused
	if err := n.Join(t.Context(), stranger.Addr()); err == nil {
		t.Error("the node joins the stranger")
	}
	if got := n.Counters().Refused; got != before.plus(m.back) {
		t.Errorf("the node counts %+v, want %+v", got, before.plus(m.back))
	}
	await(t, "the stranger counts it", func() bool { return stranger.Counters().Refused == strangerBefore.plus(m.backStranger) })
}

func (r Refusals) plus(o Refusals) Refusals {
	return Refusals{r.ForeignCluster + o.ForeignCluster, r.Untrusted + o.Untrusted, r.BadHandshake + o.BadHandshake,
		r.Protocol + o.Protocol, r.Self + o.Self, r.TooMany + o.TooMany, r.ByPeer + o.ByPeer, r.HungUp + o.HungUp}
}

func (r Refusals) times(n int) (sum Refusals) {
	for range n {
		sum = sum.plus(r)
	}
	return sum
}

func TestAHelloThatBreaksARuleIsRefusedWithItsReason(t *testing.T) {
	n, log := victim(t, "n")
	for want, h := range map[string]core.Hello{
		"protocol version 0":           {Cluster: "test", ID: "x", Generation: 1},
		"without a name":               {Protocol: wire.Protocol, Cluster: "test", Generation: 1},
		"without a name or generation": {Protocol: wire.Protocol, Cluster: "test", ID: "x"},
		"not printable":                {Protocol: wire.Protocol, Cluster: "test", ID: "x\n2026 [ERROR] fake", Generation: 1},
		"beyond all clocks":            {Protocol: wire.Protocol, Cluster: "test", ID: "x", Generation: 1<<64 - 1},
	} {
		c := knockAt(t, n)
		if _, err := c.Write(frames(t, &h)); err != nil {
			t.Fatal(err)
		}
		f, err := wire.NewReader(bufio.NewReader(c)).Read()
		if r, ok := f.(*core.Refuse); err != nil || !ok || !strings.Contains(r.Reason, want) {
			t.Errorf("%+v is answered by %#v, %v, want %q", h, f, err, want)
		}
	}
	await(t, "each is counted", func() bool { return n.Counters().Refused.Protocol == 5 })
	log.wantOnce(t, "breaks a rule")
	wantJoin(t, n)
}

func TestANodeThatDialsItselfKnowsIt(t *testing.T) {
	n, log := victim(t, "n", func(c *Config) { c.Advertise = "localhost:0" })
	if err := n.Join(t.Context(), n.Bound()); !errors.Is(err, ErrSelf) {
		t.Errorf("Join = %v, want ErrSelf", err)
	}
	await(t, "it is counted", func() bool { c := n.Counters(); return c.Refused.Self == 1 && c.Probes == 1 })
	if lines := log.warnings(); len(lines) > 0 {
		t.Errorf("the log warns %q", lines)
	}
	wantJoin(t, n)
}
