package exec

import (
	"slices"
	"testing"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

func TestTheProgramGetsTheNameAndAddressOfThisNode(t *testing.T) {
	for _, c := range []struct {
		name string
		self []peer.Peer
		want []string
	}{
		{"known", []peer.Peer{{ID: "n1", Addr: "10.0.0.7:7946"}, {ID: "n1", Addr: "[fd00::7]:7946"}},
			[]string{"CONVOKE_NODE=n1", "CONVOKE_ADDR=10.0.0.7:7946"}},
		{"the first is on all interfaces", []peer.Peer{{ID: "n1", Addr: "[::]:7946"}, {ID: "n1", Addr: "10.0.0.7:7946"}},
			[]string{"CONVOKE_NODE=n1", "CONVOKE_ADDR=10.0.0.7:7946"}},
		{"only the port is known", []peer.Peer{{ID: "n1", Addr: "0.0.0.0:7946"}},
			[]string{"CONVOKE_NODE=n1", "CONVOKE_ADDR=0.0.0.0:7946"}},
		{"not known yet", nil, []string{"CONVOKE_NODE=", "CONVOKE_ADDR="}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := programEnv(nil, strategy.Env{Self: func() []peer.Peer { return c.self }})
			for _, want := range c.want {
				if !slices.Contains(got, want) {
					t.Errorf("environ = %q, want %q in it", got, want)
				}
			}
		})
	}
}
