package kube

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// ServiceAccountFiles makes a directory with what a kubelet puts into a pod: token, ca.crt and namespace.
func (s *Server) ServiceAccountFiles(t testing.TB, namespace, token string) *Files {
	t.Helper()
	ca, err := os.ReadFile(s.Ready.CA)
	if err != nil {
		t.Fatal(err)
	}
	f := &Files{Dir: t.TempDir(), content: map[string][]byte{"ca.crt": ca, "namespace": []byte(namespace)}}
	for name := range f.content {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(f.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join("..data", "token"), filepath.Join(f.Dir, "token")); err != nil {
		t.Fatal(err)
	}
	f.SetToken(t, token)
	return f
}

// Files are the files of a service account in a pod.
type Files struct {
	Dir     string
	content map[string][]byte
	version int
}

// SetToken replaces the token as a kubelet does: all files are written again into a directory, and a link
// to the old directory is turned to it.
func (f *Files) SetToken(t testing.TB, token string) {
	t.Helper()
	f.content["token"] = []byte(token)
	f.version++
	name := fmt.Sprintf("..version%d", f.version)
	err := os.Mkdir(filepath.Join(f.Dir, name), 0o755)
	for file, data := range f.content {
		err = errors.Join(err, os.WriteFile(filepath.Join(f.Dir, name, file), data, 0o600))
	}
	link := filepath.Join(f.Dir, "..data_tmp")
	err = errors.Join(err, os.Symlink(name, link), os.Rename(link, filepath.Join(f.Dir, "..data")))
	if err != nil {
		t.Fatal(err)
	}
}
