package file_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy/file"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

func TestContract(t *testing.T) {
	strategytest.Run(t, strategytest.Subject{Kind: file.Kind, Setup: source})
}

// source has one file, and sometimes a second one that is broken.
func source(tb testing.TB) *strategytest.Source {
	dir := tb.TempDir()
	one, two := filepath.Join(dir, "one.json"), filepath.Join(dir, "two.yaml")
	answer := func(peers []peer.Peer) {
		_ = os.Remove(two) // it may not be there
		replace(tb, one, listing(tb, strategytest.Addrs(peers)...))
	}
	return &strategytest.Source{
		Config: fmt.Sprintf("paths: [%q, %q]", one, dir+"/*.yaml"),
		Answer: answer,
		Empty:  func() { answer(nil) },
		Partial: func(peers []peer.Peer, _ error) {
			answer(peers)
			replace(tb, two, "- targets: [")
		},
		Break: func(error) { answer(nil); must(tb, os.Remove(one)) },
		Garbage: func() {
			answer(nil)
			replace(tb, one, "{")
		},
	}
}

// listing is a file that lists these addresses.
func listing(tb testing.TB, addrs ...string) string {
	tb.Helper()
	if addrs == nil {
		addrs = []string{}
	}
	text, err := json.Marshal([]map[string]any{{"targets": addrs}})
	must(tb, err)
	return string(text)
}

// replace puts a new file in the place of the old one.
func replace(tb testing.TB, path, content string) {
	tb.Helper()
	must(tb, os.WriteFile(path+".new", []byte(content), 0o600))
	must(tb, os.Rename(path+".new", path))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
