package command

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goconvoke/convoke/internal/admin"
)

// socketVariable names the admin socket for commands without --socket and -c.
const socketVariable = "CONVOKE_SOCKET"

// errNoAgentFound means that no agent runs where a command looked for one.
var errNoAgentFound = errors.New("no agent runs")

// findSocket returns the socket of the agent: that of --socket, of the file, of the environment, or the only one that this user has.
func (r *agentClient) findSocket() (string, error) {
	switch {
	case r.socket != "":
		return r.socket, nil
	case r.config != "":
		return r.socketOfFile()
	case os.Getenv(socketVariable) != "":
		return os.Getenv(socketVariable), nil
	}
	return r.onlySocket()
}

// socketOfFile returns where the agent of a file has its socket. A file with mistakes elsewhere does.
func (r *agentClient) socketOfFile() (string, error) {
	node, err := nodeOf(r.config)
	if err != nil {
		return "", failedError(err)
	}
	paths := admin.Paths(node.DataDir, node.Cluster, cmp.Or(r.node, node.Name))
	for _, path := range paths {
		if len(paths) > 1 && admin.Answers(path) {
			return path, nil
		}
	}
	return paths[0], nil
}

// errNotRunning reports that no agent runs for the file.
func (r *agentClient) errNotRunning(path string) error {
	return fmt.Errorf("%w for %s: start one with convoke agent -c %s (looked for %s)", errNoAgentFound, r.config, r.config, path)
}

// onlySocket returns the socket of the one agent of this user that runs, or of the one with that name.
func (r *agentClient) onlySocket() (string, error) {
	all := admin.Running()
	if r.node != "" {
		var named []admin.Found
		for _, one := range all {
			if one.IsNode(r.node) {
				named = append(named, one)
			}
		}
		all = named
	}
	switch len(all) {
	case 0:
		return "", failedError(fmt.Errorf("%w as this user: add -c FILE, the file it was started with, --socket PATH, or set %s", errNoAgentFound, socketVariable))
	case 1:
		return all[0].Path, nil
	}
	var names []string
	for _, one := range all {
		names = append(names, fmt.Sprintf("%s (--socket %s)", one.Name, one.Path))
	}
	return "", failedError(fmt.Errorf("%d agents of this user run: name one with -c FILE, --node NAME or --socket PATH:\n  %s", len(all), strings.Join(names, "\n  ")))
}
