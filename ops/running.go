package ops

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/goconvoke/convoke/gossip"
)

// runPause is the time between two looks at whether a node runs.
const runPause = 20 * time.Millisecond

// awaitRunning returns when the connector takes part, or why it does not: it waits a moment for a node that was only just started.
func (a *API) awaitRunning(ctx context.Context) error {
	tick := time.NewTicker(runPause)
	defer tick.Stop()
	late := time.NewTimer(startTime)
	defer late.Stop()
	for {
		_, err := a.config.Connector.List(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, gossip.ErrConflict), errors.Is(err, gossip.ErrRemoved):
			return WithStatus(http.StatusServiceUnavailable, err)
		case a.config.Leaving != nil && a.config.Leaving():
			return problemf(http.StatusServiceUnavailable, "the node is leaving")
		}
		select {
		case <-tick.C:
		case <-late.C:
			return problemf(http.StatusServiceUnavailable, "the node does not run: %w", err)
		case <-ctx.Done():
			return problemf(http.StatusServiceUnavailable, "the node does not run: %w", err)
		}
	}
}
