package strategy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

func TestPeersOfOtherVersionsAreLeftOut(t *testing.T) {
	blue, green, none := peer.Peer{Addr: "a:1", Version: "blue"}, peer.Peer{Addr: "b:1", Version: "green"}, peer.Peer{Addr: "c:1"}
	failure := errors.New("the second half is unknown")
	same := strategy.VersionConfig{VersionLabel: "v", OwnVersion: "green", Version: "same"}
	for _, c := range []struct {
		name    string
		config  strategy.VersionConfig
		answer  []peer.Peer
		err     error
		want    []peer.Peer
		warning bool
	}{
		{"any", strategy.DefaultVersion(), []peer.Peer{blue, green, none}, nil, []peer.Peer{blue, green, none}, false},
		{"same", same, []peer.Peer{blue, green, none}, nil, []peer.Peer{green}, false},
		{"an incomplete answer stays one", same, []peer.Peer{blue, green}, failure, []peer.Peer{green}, false},
		{"only others", same, []peer.Peer{blue, none}, nil, nil, true},
		{"no peer at all", same, nil, nil, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			given := append([]peer.Peer(nil), c.answer...)
			lookup := c.config.Filter(func(context.Context) ([]peer.Peer, error) { return given, c.err },
				strategy.Env{Log: hclog.New(&hclog.LoggerOptions{Output: &log})})
			for range 2 {
				got, err := lookup(t.Context())
				if diff := cmp.Diff(c.want, append([]peer.Peer(nil), got...)); diff != "" || !errors.Is(err, c.err) {
					t.Errorf("lookup: error %v (-want +got):\n%s", err, diff)
				}
			}
			if diff := cmp.Diff(c.answer, given); diff != "" {
				t.Errorf("the answer of the source was changed (-want +got):\n%s", diff)
			}
			if n := strings.Count(log.String(), "no peer has the version of this node"); n > 1 || (n == 1) != c.warning {
				t.Errorf("%d warnings, want one: %t\n%s", n, c.warning, &log)
			}
		})
	}
}
