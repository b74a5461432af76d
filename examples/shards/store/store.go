// Package store is a store that compares fencing tokens, kept in one file that several processes write, with a checker over the file. It
// does what a database has to do for a service whose holders may be paused between the check of a lease and the write:
//
//	update orders set … where shard = 17 and token <= $1
//
// Each write carries the token under which its writer holds the shard. The store refuses one with a smaller token than it has seen
// for that shard, and records it all the same: that a former holder still tried is what [Check] looks for.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Claim is what a writer states of itself: by which token it holds which shard.
type Claim struct {
	Shard  int    `json:"shard"`
	Token  uint64 `json:"token"`
	Holder string `json:"holder"`
}

// Record is one write, accepted or refused, as a line of the file in JSON.
type Record struct {
	Claim
	Time    time.Time `json:"time"` // when the store decided, by the clock of its machine
	Refused bool      `json:"refused,omitempty"`
}

// ErrFenced is returned for a write with a smaller token than the store has seen for the shard: another one holds it since.
var ErrFenced = errors.New("a greater token was seen")

// Store is the store of one process. It may be used by many goroutines, and several processes of one machine may open the same file.
type Store struct {
	now func() time.Time

	mu     sync.Mutex // above all below; held while the file is locked
	file   *os.File
	offset int64          // of the first line not read yet
	seen   map[int]uint64 // greatest token of each shard
}

// Open opens the store in a file, which is created if there is none.
func Open(path string) (*Store, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &Store{now: time.Now, file: file, seen: make(map[int]uint64)}, nil
}

// Close closes the file. Writes fail from then on.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Close()
}

// Write writes under a claim: it records the claim, and returns ErrFenced if its token is smaller than one seen before. It waits for other
// processes until ctx ends.
func (s *Store) Write(ctx context.Context, c Claim) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := lock(ctx, s.file); err != nil {
		return fmt.Errorf("lock %s: %w", s.file.Name(), err)
	}
	defer func() { err = errors.Join(err, unlock(s.file)) }()
	if err := s.catchUp(); err != nil {
		return err
	}
	seen := s.seen[c.Shard]
	if err := s.append(Record{Claim: c, Time: s.now(), Refused: c.Token < seen}); err != nil {
		return fmt.Errorf("write %s: %w", s.file.Name(), err)
	}
	if c.Token < seen {
		return fmt.Errorf("shard %d: token %d of %s: %w (%d)", c.Shard, c.Token, c.Holder, ErrFenced, seen)
	}
	return nil
}

// catchUp reads what other processes wrote since. The rest of a line of which the writer was killed is cut off.
func (s *Store) catchUp() error {
	if _, err := s.file.Seek(s.offset, io.SeekStart); err != nil {
		return err
	}
	records, n, err := decode(s.file, s.file.Name(), s.offset)
	if err != nil {
		return err
	}
	s.offset += n
	for _, r := range records {
		s.learn(r)
	}
	return s.file.Truncate(s.offset)
}

// append writes a record at the end.
func (s *Store) append(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if _, err := s.file.WriteAt(line, s.offset); err != nil {
		return err
	}
	s.offset += int64(len(line))
	s.learn(r)
	return nil
}

func (s *Store) learn(r Record) { s.seen[r.Shard] = max(s.seen[r.Shard], r.Token) }
