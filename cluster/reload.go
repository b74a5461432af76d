package cluster

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/goconvoke/convoke/internal/span"
)

const watchEvery = 2 * time.Second

var errNoReload = errors.New("the supervisor does not reload: it was made without WithReload, or does not run")

// Reload reads the configuration file again and puts it into force, as SIGHUP does, and returns what is wrong with it: then nothing has
// changed. It needs [WithReload], and Run. An error of ctx leaves open whether the file was taken.
func (s *Supervisor) Reload(ctx context.Context) error {
	if err := s.board.load().runs(); err != nil {
		return err
	}
	if !s.reload {
		return errNoReload
	}
	done := make(chan error, 1)
	select {
	case s.reloadCalls <- done:
	case <-s.stopped:
		return errStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// watchConfig applies the configuration file again when it changes on SIGHUP and for [Supervisor.Reload],
// until ctx is done.
func (s *Supervisor) watchConfig(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, reloadSignals...)
	defer signal.Stop(hangup)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	config := s.board.load().config
	path, seen := config.path, config.stamp
	for {
		var asked chan error
		select {
		case <-ctx.Done():
			return
		case asked = <-s.reloadCalls:
		case <-hangup:
		case <-ticker.C:
			if stampOf(path) == seen {
				continue
			}
		}
		seen = stampOf(path)
		err := s.reloadConfig(path)
		if asked != nil {
			asked <- err
		}
	}
}

// reloads is how the attempts to take the configuration file went.
type reloads struct {
	failed atomic.Bool  // the last one
	last   atomic.Int64 // that succeeded, the one at the start included, in ns since 1970
}

func (r *reloads) note(err error, now time.Time) {
	r.failed.Store(err != nil)
	if err == nil {
		r.last.Store(now.UnixNano())
	}
}

// fileStamp differs between two versions of a file. Links are followed, so that the replacement of a directory behind a link, as
// Kubernetes does it, is noticed.
type fileStamp struct {
	modified time.Time
	size     int64
	link     string
}

// stampOf returns what distinguishes two states of a file without reading it; the zero stamp if it cannot be looked at.
func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{} // reading it returns what is wrong
	}
	link, _ := os.Readlink(path) // "" unless it is one
	return fileStamp{info.ModTime(), info.Size(), link}
}

// reloadConfig applies the file. Mistakes leave everything as it is.
func (s *Supervisor) reloadConfig(path string) error {
	_, sp := s.tracer.Start(context.Background(), "convoke.config.reload")
	before := s.board.load().config
	c, err := Load(path, before.options)
	if err == nil {
		err = s.Apply(c)
	}
	s.reloads.note(err, time.Now())
	if err == nil && sp.IsRecording() {
		sp.SetAttributes(attribute.Int("convoke.topologies.changed", len(changesOf(before, c))))
	}
	span.End(sp, err)
	if err != nil {
		s.log.Error("configuration not reloaded; the one before stays in force", "error", err)
		s.feed.emit(Event{Kind: EventReloadFailed, Err: err})
		return err
	}
	s.log.Info("configuration reloaded", "file", path)
	s.feed.emit(Event{Kind: EventReloaded})
	return nil
}
