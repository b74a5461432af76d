package main

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/cluster"
)

// Every YAML block of the README and of the pages of the connectors is a file that the agent takes.
func TestEveryYAMLBlockOfTheReadmesLoads(t *testing.T) {
	t.Setenv("CLUSTER_KEY", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	pages := []string{filepath.Join("..", "..", "README.md")}
	for _, c := range carriers {
		pages = append(pages, filepath.Join("..", "..", "connector", c.name, "README.md"))
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "```yaml\n")[1:]
		if len(blocks) == 0 {
			t.Errorf("%s has no YAML block", page)
		}
		for _, b := range blocks {
			block, _, _ := strings.Cut(b, "```")
			c, err := cluster.Parse(page, []byte(block), vocabulary())
			if err == nil {
				_, err = servable(c)
			}
			if err != nil {
				t.Errorf("%v in\n%s", err, block)
			}
		}
	}
}
