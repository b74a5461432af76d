package gossip

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

func secured(s transport.Security) func(*Config) {
	return func(c *Config) { c.Transport = transport.TCP{Security: s} }
}

func preshared(t *testing.T, b byte) func(*Config) {
	t.Helper()
	p, err := transport.NewPSK(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return secured(p)
}

// TestStrangersAreRefusedBothWays has a stranger and a node dial each other twice: both count it under its reason, the one
// that was dialled warns once, and its own kind still gets in.
func TestStrangersAreRefusedBothWays(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	plain := func(*Config) {}
	home := secured(ours.node("n", time.Hour, ours))
	friend := secured(ours.node("friend", time.Hour, ours))
	for name, c := range map[string]struct {
		n, friend, stranger func(*Config)
		atN, atStranger     Refusals // when the stranger dials, for each try
		back, backStranger  Refusals // when the node dials
		log                 string   // of the node
		err                 string   // of the stranger's Join
		foreign             bool     // which is an ErrForeign
	}{
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
			Refusals{BadHandshake: 1}, Refusals{BadHandshake: 1}, Refusals{BadHandshake: 1}, Refusals{BadHandshake: 1},
			"does not speak the protocol", "may want TLS or a pre-shared key", false},
		"an expired certificate": {home, friend, secured(ours.node("stranger", -time.Minute, ours)),
			Refusals{Untrusted: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1},
			"has expired", "bad certificate", true},
		"a certificate of another authority": {home, friend, secured(theirs.node("stranger", time.Hour, ours)),
			Refusals{Untrusted: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1},
			"unknown authority", "bad certificate", true},
		"a certificate of another name": {home, friend, secured(ours.node("somebody", time.Hour, ours)),
			Refusals{Untrusted: 1}, Refusals{ByPeer: 1}, Refusals{Untrusted: 1}, Refusals{Untrusted: 1},
			"not that of", "not that of", true},
	} {
		t.Run(name, func(t *testing.T) {
			n, log := victim(t, "n", c.n)
			stranger, _ := victim(t, "stranger", c.stranger)
			for range 2 {
				err := stranger.Join(t.Context(), n.Addr())
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("Join of the stranger: %v, want %q in it", err, c.err)
				}
				if errors.Is(err, ErrForeign) != c.foreign {
					t.Errorf("Join of the stranger: %v, ErrForeign: want %v", err, c.foreign)
				}
			}
			await(t, "the node counts it", func() bool { return n.Counters().Refused == c.atN.times(2) })
			if got := stranger.Counters().Refused; got != c.atStranger.times(2) {
				t.Errorf("the stranger counts %+v, want %+v", got, c.atStranger.times(2))
			}
			log.wantOnce(t, c.log)
			before, strangerBefore := n.Counters().Refused, stranger.Counters().Refused
			if err := n.Join(t.Context(), stranger.Addr()); err == nil {
				t.Error("the node joins the stranger")
			}
			if got := n.Counters().Refused; got != before.plus(c.back) {
				t.Errorf("the node counts %+v, want %+v", got, before.plus(c.back))
			}
			await(t, "the stranger counts it", func() bool { return stranger.Counters().Refused != strangerBefore })
			if up(n) != "n" || up(stranger) != "stranger" {
				t.Errorf("they see %q and %q", up(n), up(stranger))
			}
			wantJoin(t, n, c.friend)
		})
	}
}

func (r Refusals) plus(o Refusals) Refusals {
	return Refusals{r.ForeignCluster + o.ForeignCluster, r.Untrusted + o.Untrusted, r.BadHandshake + o.BadHandshake,
		r.Protocol + o.Protocol, r.Self + o.Self, r.TooMany + o.TooMany, r.ByPeer + o.ByPeer}
}

func (r Refusals) times(n int) (sum Refusals) {
	for range n {
		sum = sum.plus(r)
	}
	return sum
}
