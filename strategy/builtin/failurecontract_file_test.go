package builtin_test

import (
	"os"
	"path/filepath"
	"testing"
)

// listsTestSource has one file that is named and others that a pattern matches.
func listsTestSource(tb testing.TB) testSource {
	dir := tb.TempDir()
	named, other := filepath.Join(dir, "named.json"), filepath.Join(dir, "other.yaml")
	write := func(content string) func() {
		return func() {
			_ = os.Remove(other) // it may not be there
			put(tb, named, content)
		}
	}
	two := `[{"targets": ["10.0.0.1:1", "10.0.0.2:1"]}]`
	return testSource{
		config: "paths: [" + named + ", " + dir + "/*.yaml]",
		states: map[string]func(){
			complete: write(two),
			nothing:  write("[]"),
			part:     func() { write(`[{"targets": ["10.0.0.1:1"]}]`)(); put(tb, other, "- targets: [") },
			broken:   func() { write("[]")(); must(tb, os.Remove(named)) },
			garbage:  write(`[{"targets": ["10.0.0.1:1", "10.0.0.2:1", "\u0000"]}]`),
		},
	}
}
