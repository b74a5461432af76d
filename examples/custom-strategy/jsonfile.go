package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// jsonFileConfig is what `config:` may hold; a key that is not here is refused with its place in the file.
type jsonFileConfig struct {
	Path                string `yaml:"path"` // of a JSON array: [{"addr": "10.0.0.1:7946", "id": "a"}]
	strategy.PollConfig `yaml:",inline"`
}

// maxFile bounds what is read, in bytes.
const maxFile = 1 << 20

// Validate reports mistakes before anything runs.
func (c jsonFileConfig) Validate() error {
	var path error
	if c.Path == "" {
		path = strategy.At("path", errors.New("is missing: the JSON file that lists the peers"))
	}
	return errors.Join(path, c.PollConfig.Validate())
}

// jsonFile makes the strategy known under its name.
func jsonFile() strategy.Kind[jsonFileConfig] {
	return strategy.Kind[jsonFileConfig]{
		Name:    "json-file",
		Doc:     "peers from a JSON file",
		Default: jsonFileConfig{PollConfig: strategy.DefaultPoll()},
		New: func(c jsonFileConfig, env strategy.Env) (strategy.Strategy, error) {
			return strategy.Poll(func(context.Context) ([]peer.Peer, error) { return readPeers(c.Path) }, c.PollConfig, env), nil
		},
	}
}

// readPeers returns the good entries, and an error if it is not sure that they are all: then
// no peer is dropped because of it.
func readPeers(path string) ([]peer.Peer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var entries []struct{ Addr, ID string }
	if err := json.NewDecoder(io.LimitReader(f, maxFile)).Decode(&entries); err != nil {
		return nil, fmt.Errorf("%s: want an array of {\"addr\", \"id\"}: %w", path, err)
	}
	var peers []peer.Peer
	var bad []error
	for _, e := range entries {
		addr, err := peer.Addr(e.Addr)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		peers = append(peers, peer.Peer{Addr: addr, ID: e.ID})
	}
	return peers, errors.Join(bad...)
}
