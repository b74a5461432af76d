// Command kubernetes writes the base for kustomize and the Helm chart, for the topology file beside it, into its directory or the one that
// is its argument. Both hold what `convoke manifest` prints for that file.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/internal/manifest"
	"github.com/goconvoke/convoke/strategy/builtin"
)

//go:generate go run . .

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := write(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write replaces the directories base and chart below dir.
func write(dir string) error {
	files, err := files("topology.yaml")
	if err != nil {
		return err
	}
	for _, name := range []string{"base", "chart"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// files returns the files of the base and of the chart by their paths.
func files(topology string) (map[string]string, error) {
	values, err := manifest.Collect(topology, cluster.LoadOptions{Strategies: builtin.Registry()}, manifest.Options{
		Namespace: "default", Image: "ghcr.io/goconvoke/convoke:latest", Kind: "StatefulSet", Storage: "1Gi",
	})
	if err != nil {
		return nil, err
	}
	base, err := manifest.Base(values)
	if err != nil {
		return nil, err
	}
	chart, err := manifest.Chart(values)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for name, text := range base {
		all["base/"+name] = text
	}
	for name, text := range chart {
		all["chart/"+name] = text
	}
	return all, nil
}
