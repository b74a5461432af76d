package quorum

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/internal/keylock"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// parts is what leaders, shards and the map need of a quorum.
type parts struct {
	engine engine
	log    hclog.Logger
	name   string // of this member
	lease  time.Duration
	// updating has the keys for which an Update of this process runs.
	updating *keylock.Locks
	declared *sync.Map // core.GroupSettings by name, of the groups that Shards has returned
}

// parts returns them for this quorum.
func (q *Quorum) parts() *parts {
	return &parts{engine: q, log: q.log, name: q.config.Node.Name(), lease: q.config.Lease, updating: &q.updating, declared: &q.declared}
}

// newest returns the newest table, an empty one before the first, and a channel that is closed when there is a newer one.
func (p *parts) newest() (*core.TableView, <-chan struct{}) {
	t, changed := p.engine.table()
	if t == nil {
		t = &emptyTable
	}
	return t, changed
}

var emptyTable core.TableView
