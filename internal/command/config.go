package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/strictyaml"
	"github.com/goconvoke/convoke/strategy/builtin"
)

// maxConfig bounds how much of a file is looked at for callbacks, in bytes.
const maxConfig = 4 << 20

// errNoFile names the flag to add.
var errNoFile = errors.New("no configuration file: add -c FILE")

// configFlag adds the flag -c to a command.
func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVarP(path, "config", "c", "", "the topology `file`")
}

// inspectFile reads a file only to look at what it configures and finds: it may be written for another
// program, so its connectors and callbacks may be of any name.
func inspectFile(path string) (*cluster.Config, error) {
	if path == "" {
		return nil, errNoFile
	}
	c, err := cluster.Load(path, inspectOptions(path))
	return c, failedError(err)
}

// inspectOptions accepts connectors and callbacks of any name.
func inspectOptions(path string) cluster.LoadOptions {
	callbacks := callbacksOf(path)
	return cluster.LoadOptions{Strategies: builtin.Registry(), Connect: callbacks, Disconnect: callbacks, List: callbacks}
}

// nodeOf reads from a file no more than what a running agent is found by: a file with mistakes elsewhere does.
func nodeOf(path string) (connector.NodeConfig, error) {
	found := struct {
		Cluster string `yaml:"cluster"`
		Name    string `yaml:"name"`
		DataDir string `yaml:"data_dir"`
	}{Name: connector.DefaultNode().Name}
	text, err := os.ReadFile(path)
	if err != nil {
		return connector.NodeConfig{}, err
	}
	root, err := strictyaml.Parse(path, text)
	if err != nil {
		return connector.NodeConfig{}, err
	}
	node := strictyaml.Child(root, "node")
	parts := &yaml.Node{Kind: yaml.MappingNode}
	for key, value := range map[string]*yaml.Node{
		"cluster": strictyaml.Child(root, "cluster"), "name": strictyaml.Child(node, "name"), "data_dir": strictyaml.Child(node, "data_dir"),
	} {
		if value != nil {
			parts.Content = append(parts.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
		}
	}
	err = strictyaml.Decode(parts, &found, path, cluster.LookupEnv, nil)
	if err == nil && found.Cluster == "" {
		err = fmt.Errorf("%s: cluster: a cluster ID is required", path)
	}
	return connector.NodeConfig{Cluster: found.Cluster, Name: found.Name, DataDir: found.DataDir}, err
}

// callbacksOf returns the callbacks that a file names, as far as it can be read; what is wrong
// with the file is reported by cluster.Load.
func callbacksOf(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var loose struct {
		Topologies map[string]struct{ Connect, Disconnect, List string }
	}
	if yaml.NewDecoder(io.LimitReader(f, maxConfig)).Decode(&loose) != nil {
		return nil
	}
	var names []string
	for _, t := range loose.Topologies {
		names = append(names, t.Connect, t.Disconnect, t.List)
	}
	return names
}

// pickTopologies returns the topologies that args name: the one, or all.
func pickTopologies(c *cluster.Config, args []string) ([]cluster.Topology, error) {
	if len(args) == 0 {
		return c.Topologies, nil
	}
	names := make([]string, 0, len(c.Topologies))
	for _, t := range c.Topologies {
		if t.Name == args[0] {
			return []cluster.Topology{t}, nil
		}
		names = append(names, t.Name)
	}
	return nil, failedError(fmt.Errorf("topology %q is not in the file; it has: %s", args[0], strings.Join(names, ", ")))
}
