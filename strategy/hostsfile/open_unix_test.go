//go:build unix

package hostsfile

import (
	"context"
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
	r := &reader{config: Config{Path: path}}
	if _, err := r.lookup(context.Background()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("lookup = %v, want a refusal", err)
	}
}
