// Package hostsfile finds the peers that a file lists, one a line, and follows its changes.
package hostsfile

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

const (
	maxFile = 16 << 20    // bytes
	reread  = time.Minute // an unchanged file is read again after this,
	settled = 2 * time.Second
)

// Kind registers the strategy as "hostsfile".
var Kind = strategy.Kind[Config]{
	Name:    "hostsfile",
	Doc:     "a file with one host:port a line, read again when it changes",
	Default: DefaultConfig(),
	New:     New,
}

// New makes the strategy. It looks at the file every interval and reads it when its inode, size or
// modification time differs, so that a rename over it and the symlink swap of a ConfigMap are seen.
// Names are passed on as they are: who dials resolves them.
func New(c Config, env strategy.Env) (strategy.Strategy, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	poll := c.PollConfig
	poll.MaxBackoff = max(poll.Interval, time.Second) // looking at a file costs nobody anything
	return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
		r := &reader{config: c}
		return strategy.Poll(r.lookup, poll, env).Run(ctx, out)
	}), nil
}

// reader remembers what it last read. It belongs to the lookups of one Run, which never overlap.
type reader struct {
	config Config

	info  fs.FileInfo // of the file as last read; nil forces a reading
	at    time.Time   // when that was
	peers []peer.Peer
	err   error
}

func (r *reader) lookup(context.Context) ([]peer.Peer, error) {
	info, err := os.Stat(r.config.Path)
	if err != nil {
		r.info = nil
		return nil, fmt.Errorf("look at the hosts file: %w", err)
	}
	if r.unchanged(info) {
		return r.peers, r.err
	}
	data, info, err := read(r.config.Path)
	if err != nil {
		r.info = nil
		return nil, err
	}
	r.info, r.at = info, time.Now()
	r.peers, r.err = Parse(r.config.Path, data, r.config.Port)
	return r.peers, r.err
}

// unchanged reports whether the last reading still holds. A file read soon after it was written may
// have been written again within one tick of its clock, so it is read once more.
func (r *reader) unchanged(now fs.FileInfo) bool {
	return r.info != nil &&
		os.SameFile(r.info, now) &&
		r.info.Size() == now.Size() &&
		r.info.ModTime().Equal(now.ModTime()) &&
		r.at.Sub(now.ModTime()) > settled &&
		time.Since(r.at) < reread
}

// read reads a regular file of at most maxFile bytes. The information is that of the file read,
// taken before the reading, so that a write in between is seen the next time.
func read(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("read the hosts file: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read the hosts file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("read the hosts file: %s is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read the hosts file: %w", err)
	}
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("read the hosts file: %s is larger than %d bytes", path, maxFile)
	}
	return data, info, nil
}
