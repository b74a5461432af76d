//go:build unix

package reread

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestANamedPipeIsRefusedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	if _, _, err := new(File).Read(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Read = %v, want a refusal", err)
	}
}
