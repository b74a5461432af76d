package kube

import (
	"os"
	"path/filepath"
	"testing"
)

func TestATokenIsReplacedInOneStep(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca")
	if err := os.WriteFile(ca, []byte("certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{Ready: Ready{CA: ca}}
	f := s.ServiceAccountFiles(t, "shop", "first")
	check := func(name, want string) {
		t.Helper()
		if got, err := os.ReadFile(filepath.Join(f.Dir, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v, want %q", name, got, err, want)
		}
	}
	check("token", "first")
	f.SetToken(t, "second")
	check("token", "second")
	check("ca.crt", "certificate")
	check("namespace", "shop")
}
