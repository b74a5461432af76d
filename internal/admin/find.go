package admin

import (
	"cmp"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Found is the socket of an agent that runs.
type Found struct {
	Path string
	Name string // cluster@node, as far as they fit into the name of a file
}

// IsNode reports whether the socket is that of a node of this name.
func (f Found) IsNode(name string) bool {
	_, node, _ := strings.Cut(f.Name, "@")
	return node == fileNamePart(name)
}

const (
	maxFound  = 256     // agents that are returned
	maxLooked = 1 << 14 // sockets that are looked at; those of dead processes, which take a few microseconds each, may come first
)

// Running returns the agents of this user that run and can be found in the directory of the user: see [Publish].
func Running() []Found {
	var all []Found
	for _, dir := range socketDirs() {
		paths, _ := filepath.Glob(filepath.Join(dir, "*@*.sock")) // the pattern is valid
		for _, path := range paths[:min(len(paths), maxLooked)] {
			if len(all) < maxFound && Answers(path) {
				all = append(all, Found{path, strings.TrimSuffix(filepath.Base(path), ".sock")})
			}
		}
	}
	slices.SortFunc(all, func(a, b Found) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Path, b.Path)) })
	return all
}

// Answers reports whether a process listens on a socket.
func Answers(path string) bool {
	if info, err := os.Stat(path); err != nil || info.Mode().Type() != fs.ModeSocket || checkPath(path) != nil {
		return false
	}
	c, err := net.DialTimeout("unix", path, 200*time.Millisecond)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
