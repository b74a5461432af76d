package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/strategy/builtin"
)

// maxConfig bounds how much of a file is looked at for callbacks, in bytes.
const maxConfig = 4 << 20

// errNoFile tells a caller what to add.
var errNoFile = errors.New("which file? say -c FILE")

// configFlag adds the flag -c to a command.
func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVarP(path, "config", "c", "", "the topology `file`")
}

// vocabulary is what a file may name when this program is to run it.
func vocabulary() cluster.Vocabulary {
	return cluster.Vocabulary{Strategies: builtin.Registry(), Connectors: connectorNames()}
}

// load reads a file for the agent.
func load(path string) (*cluster.Config, error) {
	if path == "" {
		return nil, errNoFile
	}
	c, err := cluster.Load(path, vocabulary())
	return c, failed(err)
}

// inspect reads a file only to look at what it says and finds: it may be written for another
// program, so its connectors and callbacks may be of any name.
func inspect(path string) (*cluster.Config, error) {
	if path == "" {
		return nil, errNoFile
	}
	v := vocabulary()
	v.Connectors = nil
	v.Connect = callbacksOf(path)
	v.Disconnect, v.List = v.Connect, v.Connect
	c, err := cluster.Load(path, v)
	return c, failed(err)
}

// callbacksOf returns the callbacks that a file names, as far as it can be read; what is wrong
// with the file is for cluster.Load to say.
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

// pick returns the topologies that args name: the one, or all.
func pick(c *cluster.Config, args []string) ([]cluster.Topology, error) {
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
	return nil, failed(fmt.Errorf("topology %q is not in the file; it has: %s", args[0], strings.Join(names, ", ")))
}

// keys returns the pre-shared keys of a configuration.
func keys(c *cluster.Config) [][]byte {
	var all [][]byte
	for _, k := range c.Node.Keys {
		all = append(all, k.Bytes())
	}
	return all
}
