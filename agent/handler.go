package agent

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Handler returns a handler for probes, and for what the node knows of the quorum. GET /livez is 200 while the loops of the node turn; a process that fails it should be
// restarted. GET /readyz is 200 from the moment when the expected nodes were together once until the node ends, so that a rollout or the
// restart of another node changes nothing; for start-up and readiness probes. Any other answer is 503, with the reason as
// text.
//
// GET /api/v1/quorum, /api/v1/shards and /api/v1/shards/GROUP are documents in JSON of the quorum, the groups, and the holders of a group;
// GET /status and /partitions are those of ring-election, of the group that ?group= names or the first of the file. They are answered from
// this node's memory, before there is a leader too. GET /metrics is Options.Metrics, if that is set. Nothing can be changed over it, and no answer is meant for pages of other sites.
func (n *Node) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", probeHandler(n.Live))
	mux.HandleFunc("GET /readyz", probeHandler(n.readiness))
	mux.HandleFunc("GET /api/v1/quorum", n.handleQuorum)
	mux.HandleFunc("GET /api/v1/shards", n.handleGroups)
	mux.HandleFunc("GET /api/v1/shards/{group}", n.handleGroup)
	mux.HandleFunc("GET /status", n.handleRing)
	mux.HandleFunc("GET /partitions", n.handlePartitions)
	if n.metrics != nil {
		mux.Handle("GET /metrics", n.metrics)
	}
	return mux
}

// readiness returns nil if the node has formed and runs, without waiting.
func (n *Node) readiness() error {
	if err := n.supervisor.Live(); err != nil {
		return err
	}
	status := n.supervisor.Status()
	if status.Formed {
		return nil
	}
	var reasons []string
	for _, t := range status.Topologies {
		if !t.Formed {
			reasons = append(reasons, fmt.Sprintf("topology %s has not formed: %s", t.Name, t.Why))
		}
	}
	return errors.New(strings.Join(reasons, "; "))
}

func probeHandler(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		text := "ok"
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			text = err.Error()
		}
		_, _ = io.WriteString(w, text+"\n") // a client that has gone needs no answer
	}
}
