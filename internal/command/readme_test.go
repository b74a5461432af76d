package command

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/strategy/builtin"
)

// Every YAML block of the README and of the pages of the connectors is a file that the agent takes.
func TestEveryYAMLBlockOfTheReadmesLoads(t *testing.T) {
	t.Setenv("CLUSTER_KEY", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	connectors, err := connector.NewRegistry(gossip.Kind)
	if err != nil {
		t.Fatal(err)
	}
	options := cluster.LoadOptions{Strategies: builtin.Registry(), Connectors: connectors}
	for _, page := range []string{filepath.Join("..", "..", "README.md"), filepath.Join("..", "..", "connector", "gossip", "README.md")} {
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
			if _, err := cluster.Parse(page, []byte(block), options); err != nil {
				t.Errorf("%v in\n%s", err, block)
			}
		}
	}
}
