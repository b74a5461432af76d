package ops

import (
	"time"

	"github.com/goconvoke/convoke/cluster"
)

// Event is something that happened to the node.
type Event struct {
	// ID grows by one with each event of a process, and is greater than those of its earlier lives.
	ID        uint64    `json:"id"`
	At        time.Time `json:"at"`
	Kind      string    `json:"event"`
	Topology  string    `json:"topology,omitzero"`
	Connector string    `json:"connector,omitzero"`
	Peer      string    `json:"peer,omitzero"` // name@host:port, or what of it is known
	Error     string    `json:"error,omitzero"`
	Missed    int       `json:"missed,omitzero"` // events lost just before this one
}

func eventOf(id uint64, e cluster.Event) Event {
	out := Event{ID: id, At: e.At, Kind: string(e.Kind), Topology: e.Topology, Connector: e.Connector, Error: errorText(e.Err), Missed: e.Missed}
	if e.Peer.Addr != "" || e.Peer.ID != "" {
		out.Peer = e.Peer.String()
	}
	return out
}
