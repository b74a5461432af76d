// Package bounded reads what others wrote without letting them decide how much memory that takes.
package bounded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// TooLargeError is the error for a source that holds more than it may.
type TooLargeError struct{ Most int64 } // bytes

// Error returns "larger than N bytes", for a sentence that begins with the name of the source.
func (e *TooLargeError) Error() string { return fmt.Sprintf("larger than %d bytes", e.Most) }

// ReadAll reads r to its end. More than most bytes are a *[TooLargeError].
func ReadAll(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > most:
		return nil, &TooLargeError{most}
	}
	return data, nil
}

// Open opens a regular file for reading and returns its state of before. Opening a named pipe does not wait for a writer.
// Whatever else the path leads to is an error.
func Open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, nil, err
	}
	return f, info, nil
}

// ReadFile reads a regular file of at most most bytes. The error names the path.
func ReadFile(path string, most int64) ([]byte, error) {
	f, _, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	data, err := ReadAll(f, most)
	if large := (*TooLargeError)(nil); errors.As(err, &large) {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return data, err
}
