package ops

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/goconvoke/convoke/cluster"
)

// probe is one check of a probe.
type probe struct {
	name  string
	check func() error
}

// handleLive answers whether the loops of the node turn. It asks neither peers nor sources nor a disk.
func (a *API) handleLive(access Access, w http.ResponseWriter, r *http.Request) {
	a.answerProbes(access, w, r, []probe{{"loops", a.config.Supervisor.Live}})
}

// handleReady answers whether the node takes part: from the moment when its connector lists the members until it leaves. With formed, or
// the names of topologies, it answers too whether these were whole once.
func (a *API) handleReady(access Access, w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	probes := []probe{{"loops", a.config.Supervisor.Live}, {"node", a.checkRunning}}
	topologies := query["topology"]
	if len(topologies) > 0 || isSet(query, "formed") {
		probes = append(probes, probe{"formed", func() error { return a.checkFormed(topologies) }})
	}
	a.answerProbes(access, w, r, probes)
}

// checkRunning returns why the node does not take part.
func (a *API) checkRunning() error {
	if a.config.Leaving != nil && a.config.Leaving() {
		return errors.New("the node leaves its cluster")
	}
	var reasons []string
	for _, c := range a.config.Supervisor.Status().Connectors {
		switch {
		case c.Err != nil:
			reasons = append(reasons, fmt.Sprintf("connector %s cannot list its peers: %v", c.Name, c.Err))
		case !c.Listed:
			reasons = append(reasons, fmt.Sprintf("connector %s has not listed its peers yet", c.Name))
		}
	}
	if len(reasons) > 0 {
		return errors.New(strings.Join(reasons, "; "))
	}
	return nil
}

// checkFormed returns which of the named topologies, or of all, have not formed.
func (a *API) checkFormed(names []string) error {
	status := a.config.Supervisor.Status()
	if status.Formed && len(names) == 0 {
		return nil
	}
	var reasons []string
	for _, name := range names {
		if !slices.ContainsFunc(status.Topologies, func(t cluster.TopologyStatus) bool { return t.Name == name }) {
			reasons = append(reasons, fmt.Sprintf("no topology is named %q", name))
		}
	}
	for _, t := range status.Topologies {
		if !t.Formed && (len(names) == 0 || slices.Contains(names, t.Name)) {
			reasons = append(reasons, fmt.Sprintf("topology %s has not formed: %s", t.Name, t.Why))
		}
	}
	if len(reasons) > 0 {
		return errors.New(strings.Join(reasons, "; "))
	}
	return nil
}

// answerProbes answers 200 if all checks succeed but those that the request excludes, else 503. The reasons are for those who may read them.
func (a *API) answerProbes(access Access, w http.ResponseWriter, r *http.Request, probes []probe) {
	query := r.URL.Query()
	var lines, failed []string
	for _, p := range probes {
		if slices.Contains(query["exclude"], p.name) {
			lines = append(lines, "[+] "+p.name+" excluded")
			continue
		}
		if err := p.check(); err != nil {
			failed = append(failed, err.Error())
			lines = append(lines, "[-] "+p.name+": "+err.Error())
		} else {
			lines = append(lines, "[+] "+p.name+" ok")
		}
	}
	status, text := http.StatusOK, "ok"
	if len(failed) > 0 {
		status, text = http.StatusServiceUnavailable, "failed"
	}
	switch {
	case access < Read:
	case isSet(query, "verbose"):
		text = strings.Join(append(lines, text), "\n")
	case len(failed) > 0:
		text = strings.Join(failed, "; ")
	}
	writeText(w, status, text)
}
