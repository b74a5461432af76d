// Package file finds the peers that files list in JSON or YAML, in the form that Prometheus calls file_sd, and follows their
// changes.
package file

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/internal/reread"
	"github.com/goconvoke/convoke/internal/targets"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

const (
	maxFiles   = 1000    // that patterns match
	maxEntries = 100_000 // of a directory that a pattern is about
)

// Kind registers the strategy as "file".
var Kind = strategy.Kind[Config]{
	Name:    "file",
	Doc:     "files in JSON or YAML that list targets and labels, read again when they change",
	Default: DefaultConfig(),
	New:     newStrategy,
}

// newStrategy makes the strategy. It looks at the files every interval and reads those whose inode, size or modification time
// differs. The files count each by itself: what the good ones hold is added while others are bad.
func newStrategy(c Config, env strategy.Env) (strategy.Strategy, error) {
	poll := c.PollConfig
	poll.MaxBackoff = max(poll.Interval, time.Second) // looking at files costs nothing
	return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
		r := &reader{config: c, files: map[string]*cachedFile{}}
		return strategy.Poll(c.Filter(r.lookup, env), poll, env).Run(ctx, out)
	}), nil
}

// parser reads the content of a file.
type parser func([]byte, targets.Options) ([]peer.Peer, error)

// parserFor returns the parser for a file, by the end of its name.
func parserFor(path string) (parse parser, known bool) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		return targets.JSON, true
	case ".yml", ".yaml":
		return targets.YAML, true
	}
	return nil, false
}

// reader remembers what it last read. It belongs to the lookups of one Run, which never overlap.
type reader struct {
	config Config
	files  map[string]*cachedFile // by path
}

// cachedFile is a file as it was last read.
type cachedFile struct {
	file  reread.File
	peers []peer.Peer
	err   error
}

func (r *reader) lookup(ctx context.Context) ([]peer.Peer, error) {
	paths, err := r.listPaths()
	errs := []error{err}
	var all []peer.Peer
	known := map[string]bool{}
	for _, path := range paths {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		peers, err := r.readFile(path)
		if err != nil {
			errs = append(errs, err)
		}
		for _, p := range peers {
			if !known[p.Addr] {
				known[p.Addr] = true
				all = append(all, p)
			}
		}
	}
	maps.DeleteFunc(r.files, func(path string, _ *cachedFile) bool {
		_, is := slices.BinarySearch(paths, path)
		return !is
	})
	return all, errors.Join(errs...)
}

// listPaths returns the files that there are; with an error, those that are known. A pattern that matches nothing
// means that there is no peer; for a plain name only an empty list in the file means that.
func (r *reader) listPaths() ([]string, error) {
	var all []string
	var errs []error
	for _, path := range r.config.Paths {
		if !isPattern(path) {
			all = append(all, path)
			continue
		}
		found, err := expandPattern(path)
		all, errs = append(all, found...), append(errs, err)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > maxFiles {
		errs = append(errs, fmt.Errorf("%d files match, and only the first %d are read", len(all), maxFiles))
		all = all[:maxFiles]
	}
	return all, errors.Join(errs...)
}

// readFile returns the content of a file, which is read again if it may have changed.
func (r *reader) readFile(path string) ([]peer.Peer, error) {
	s := r.files[path]
	if s == nil {
		s = new(cachedFile)
		r.files[path] = s
	}
	data, changed, err := s.file.Read(path)
	if err != nil {
		return nil, err
	}
	if changed {
		parse, _ := parserFor(path)
		s.peers, s.err = parse(data, targets.Options{
			IDLabel: r.config.IDLabel, ZoneLabel: r.config.ZoneLabel, VersionLabel: r.config.VersionLabel,
		})
		if s.err != nil {
			s.err = fmt.Errorf("%s: %w", path, s.err)
		}
	}
	return s.peers, s.err
}
