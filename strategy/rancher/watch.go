package rancher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/internal/safetext"
)

const (
	pause     = time.Second     // between two questions for changes
	givenUp   = time.Minute     // until a server that cannot wait is asked again
	slack     = 6 * time.Second // the server looks at the clock every 5 s
	maxSerial = 256             // bytes of a version
)

// versionWatch has the server report when the metadata change: it asks for the version of all the metadata
// (not of their form) and the server answers when that has become another. A server that
// does not offer this is asked again from time to time; the lookups do without.
type versionWatch struct {
	config  Config
	client  client
	log     hclog.Logger
	changed chan<- struct{} // holds one
}

// run reports changes until ctx is done.
func (w *versionWatch) run(ctx context.Context) {
	serial, rest := "", time.Duration(0)
	for backoff.Sleep(ctx, rest) == nil {
		if serial == "" {
			serial, rest = w.learnVersion(ctx)
			continue
		}
		serial, rest = w.awaitVersion(ctx, serial)
	}
}

// learnVersion learns the version. It returns how long to rest.
func (w *versionWatch) learnVersion(ctx context.Context) (string, time.Duration) {
	serial, err := w.askVersion(ctx, "version", w.config.Timeout)
	if err != nil {
		w.log.Debug("the server does not report changes", "error", err)
		return "", givenUp
	}
	return serial, pause
}

// awaitVersion waits for another version and reports it.
func (w *versionWatch) awaitVersion(ctx context.Context, old string) (string, time.Duration) {
	asked := time.Now()
	serial, err := w.askVersion(ctx, waitPath(old, w.config.Wait), w.config.Wait+slack+w.config.Timeout)
	switch {
	case err != nil:
		w.log.Debug("the server does not report changes", "error", err)
		w.triggerLookup() // what happened meanwhile is unknown
		return "", givenUp
	case serial == old && time.Since(asked) < min(pause, w.config.Wait/2):
		w.log.Debug("the server answers at once instead of waiting for a change")
		return "", givenUp
	case serial != old:
		w.triggerLookup()
	}
	return serial, pause
}

// waitPath asks for another version than old, for as long as limit.
func waitPath(old string, limit time.Duration) string {
	query := url.Values{"wait": {"true"}, "value": {old}, "maxWait": {fmt.Sprint(int(limit.Seconds()))}}
	return "version?" + query.Encode()
}

// askVersion asks for a version, which is text or a number.
func (w *versionWatch) askVersion(ctx context.Context, path string, within time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	body, err := w.client.getAnswer(ctx, path)
	if err != nil {
		return "", err
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return "", fmt.Errorf("the version is not JSON: %w", safetext.Error(err, maxQuote))
	}
	switch value.(type) {
	case string, float64:
	default:
		return "", errors.New("the version is neither text nor a number")
	}
	text := fmt.Sprint(value)
	if text == "" || len(text) > maxSerial {
		return "", fmt.Errorf("the version has %d bytes, want 1 to %d", len(text), maxSerial)
	}
	return text, nil
}

// triggerLookup has the service looked up, once for all changes since the last lookup.
func (w *versionWatch) triggerLookup() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}
