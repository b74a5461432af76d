// Package reread reads files that others write, again and again, without a notification from the file system: a file on NFS, one
// that is replaced by a rename and the symlink swap of a mounted ConfigMap are all noticed.
package reread

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/goconvoke/convoke/internal/bounded"
)

const (
	maxSize = 16 << 20    // bytes, unless File has its own
	again   = time.Minute // an unchanged file is read again after this
	settled = 2 * time.Second
)

// File remembers what a file looked like when it was last read. The zero value has read nothing. It is not safe for
// concurrent use.
type File struct {
	Most int64 // bytes of the file; 0 means 16 MiB

	info fs.FileInfo // nil forces a reading
	at   time.Time   // when that was
}

// Read returns the content of a regular file of at most Most bytes if its inode, size or modification time is another than at the
// last call, or a minute has passed; changed is false if what was read then still holds. After an error the next call reads.
func (f *File) Read(path string) (data []byte, changed bool, err error) {
	info, err := os.Stat(path)
	if err == nil && f.holds(info) {
		return nil, false, nil
	}
	f.info = nil
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", path, reason(err))
	}
	data, info, err = read(path, cmp.Or(f.Most, maxSize))
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", path, reason(err))
	}
	f.info, f.at = info, time.Now()
	return data, true, nil
}

// holds reports whether the last reading is still good. A file read soon after it was written may have been written again
// within one tick of its clock, so it is read once more.
func (f *File) holds(now fs.FileInfo) bool {
	return f.info != nil &&
		os.SameFile(f.info, now) &&
		f.info.Size() == now.Size() &&
		f.info.ModTime().Equal(now.ModTime()) &&
		f.at.Sub(now.ModTime()) > settled &&
		time.Since(f.at) < again
}

// read reads a file. The information is that of the file read, taken before the reading, so that a write in between is seen the
// next time.
func read(path string, most int64) ([]byte, fs.FileInfo, error) {
	f, info, err := bounded.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	data, err := bounded.ReadAll(f, most)
	return data, info, err
}

// reason is an error without the path, which is named once.
func reason(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
