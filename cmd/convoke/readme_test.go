package main

import (
	"os"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/cluster"
)

func TestEveryYAMLBlockOfTheReadmeLoads(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	if len(blocks) == 0 {
		t.Fatal("README.md has no YAML block")
	}
	for _, b := range blocks {
		block, _, _ := strings.Cut(b, "```")
		if _, err := cluster.Parse("README.md", []byte(block), vocabulary()); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
	}
}
