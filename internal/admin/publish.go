package admin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Publish lets commands find a socket that is elsewhere, as in a data directory, by the names of cluster and node: a link to it is put into
// the directory of the user. It returns what takes the link away. A socket that is in that directory needs none.
func Publish(path, cluster, node string) (remove func(), err error) {
	link := Paths("", cluster, node)[0]
	if path, err = filepath.Abs(path); err != nil || path == link {
		return func() {}, err
	}
	if err := makeDir(filepath.Dir(link)); err != nil {
		return func() {}, err
	}
	if _, err := os.Readlink(link); err != nil && Answers(link) {
		return func() {}, fmt.Errorf("%s: %w", link, ErrInUse)
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return func() {}, err
	}
	if err := os.Symlink(path, link); err != nil {
		return func() {}, err
	}
	return func() {
		if to, err := os.Readlink(link); err == nil && to == path { // else it is another agent's by now
			_ = os.Remove(link)
		}
	}, nil
}
