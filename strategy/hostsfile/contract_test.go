package hostsfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy/hostsfile"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

func TestContract(t *testing.T) {
	strategytest.Run(t, strategytest.Subject{Kind: hostsfile.Kind, Setup: source})
}

func source(tb testing.TB) *strategytest.Source {
	path := filepath.Join(tb.TempDir(), "hosts")
	return &strategytest.Source{
		Config: "path: " + path,
		Answer: func(peers []peer.Peer) {
			replace(tb, path, strings.Join(strategytest.Addrs(peers), "\n"))
		},
		Empty:   func() { replace(tb, path, "") },
		Break:   func(error) { remove(tb, path) },
		Garbage: func() { replace(tb, path, "10.0.0.1:7946\nnot a host\n") },
	}
}

// replace puts a new file in the place of the old one.
func replace(tb testing.TB, path, content string) {
	tb.Helper()
	temp := path + ".new"
	if err := os.WriteFile(temp, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(temp, path); err != nil {
		tb.Fatal(err)
	}
}

func remove(tb testing.TB, path string) {
	tb.Helper()
	if err := os.RemoveAll(path); err != nil {
		tb.Fatal(err)
	}
}
