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
	seen := s.stampOfConfig()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		case <-ticker.C:
			if s.stampOfConfig() == seen {
				continue
			}
		}
		seen = s.stampOfConfig()
		s.reloadConfig()
	}
}

// fileStamp tells two versions of a file apart. Links are followed, so that the swap of a
// directory behind a link, as Kubernetes does it, is seen.
type fileStamp struct {
	modified time.Time
	size     int64
	link     string
}

func (s *Supervisor) stampOfConfig() fileStamp {
	s.mu.Lock()
	path := s.config.path
	s.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{} // the reload says what is wrong
	}
	link, _ := os.Readlink(path) // "" unless it is one
	return fileStamp{info.ModTime(), info.Size(), link}
}

// reloadConfig applies the file. Mistakes leave everything as it is.
func (s *Supervisor) reloadConfig() {
	s.mu.Lock()
	path, names := s.config.path, s.config.names
	s.mu.Unlock()
	c, err := Load(path, names)
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
