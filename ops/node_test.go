package ops

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/peer"
)

func TestTheStateOfANodeIsWhatItsConnectorReports(t *testing.T) {
	for _, c := range []struct {
		err     error
		leaving bool
		want    State
	}{
		{nil, false, StateRunning},
		{fmt.Errorf("list: %w", gossip.ErrConflict), false, StateNameConflict},
		{fmt.Errorf("list: %w", gossip.ErrRemoved), false, StateRemoved},
		{fmt.Errorf("start: %w", &net.OpError{Op: "listen", Err: errors.New("in use")}), false, StateCannotListen},
		{nil, true, StateLeaving},
		{gossip.ErrStopped, true, StateLeaving},
	} {
		a := &API{config: Config{
			Connector: connector.Funcs{ListFunc: func(context.Context) ([]peer.Peer, error) { return nil, c.err }},
			Leaving:   func() bool { return c.leaving },
		}}
		state, why := a.state(t.Context())
		if state != c.want || (why == "") != (c.want == StateRunning) {
			t.Errorf("%v, leaving %v: %s %q, want %s", c.err, c.leaving, state, why, c.want)
		}
	}
}
