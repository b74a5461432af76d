package cluster

import (
	"context"
	"os"
	"os/signal"
	"time"
)

const watchEvery = 2 * time.Second

// watchConfig applies the configuration file again when it changes and on SIGHUP, until ctx
// is done.
func (s *Supervisor) watchConfig(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, reloadSignals...)
	defer signal.Stop(hangup)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	s.mu.Lock()
	path, seen := s.config.path, s.config.stamp
	s.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		case <-ticker.C:
			if stampOf(path) == seen {
				continue
			}
		}
		seen = stampOf(path)
		s.reloadConfig(path)
	}
}

// fileStamp tells two versions of a file apart. Links are followed, so that the swap of a
// directory behind a link, as Kubernetes does it, is seen.
type fileStamp struct {
	modified time.Time
	size     int64
	link     string
}

func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{} // reading it says what is wrong
	}
	link, _ := os.Readlink(path) // "" unless it is one
	return fileStamp{info.ModTime(), info.Size(), link}
}

// reloadConfig applies the file. Mistakes leave everything as it is.
func (s *Supervisor) reloadConfig(path string) {
	s.mu.Lock()
	options := s.config.options
	s.mu.Unlock()
	c, err := Load(path, options)
	if err == nil {
		err = s.Apply(c)
	}
	if err != nil {
		s.log.Error("configuration not reloaded; the one before stays in force", "error", err)
		s.emit(Event{Kind: ReloadFailed, Err: err})
		return
	}
	s.log.Info("configuration reloaded", "file", path)
	s.emit(Event{Kind: Reloaded})
}
