package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/cluster"
)

// printer writes what happens to a node, one line each. It may be used from any goroutine.
type printer struct {
	node string
	as   format

	mu sync.Mutex // guards w, so that lines stay whole
	w  io.Writer
}

func newPrinter(w io.Writer, node string, as format) *printer {
	return &printer{node: node, as: as, w: w}
}

// line is one line of agent -o json. Members, Joined and Left stand on every line of the event "members" alone.
type line struct {
	At       time.Time `json:"at"`
	Node     string    `json:"node"`
	Event    string    `json:"event"`
	Cluster  string    `json:"cluster,omitzero"`
	Members  []string  `json:"members,omitzero"`
	Joined   []string  `json:"joined,omitzero"`
	Left     []string  `json:"left,omitzero"`
	Topology string    `json:"topology,omitzero"`
	Peer     string    `json:"peer,omitzero"`
	Error    string    `json:"error,omitzero"`
	Missed   int       `json:"missed,omitzero"` // events lost just before this one
}

// printStarted reports that the node is up; JSON only.
func (p *printer) printStarted(clusterID string) {
	p.printJSON(line{Event: "started", Cluster: clusterID})
}

// printMembers reports a new member list and what changed.
func (p *printer) printMembers(all, joined, left []string) {
	if p.as == asJSON {
		p.printJSON(line{Event: "members", Members: orEmpty(all), Joined: orEmpty(joined), Left: orEmpty(left)})
		return
	}
	text := fmt.Sprintf("%s  %s: %s", time.Now().Format("15:04:05.000"), countNoun(len(all), "node", "nodes"), someNames(all))
	var changes []string
	for _, name := range joined {
		changes = append(changes, "+"+name)
	}
	for _, name := range left {
		changes = append(changes, "-"+name)
	}
	if len(changes) > 0 {
		text += "  (" + someNames(changes) + ")"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, text)
}

// someNames writes a bounded number of names in one line; convoke members and -o json have all.
func someNames(all []string) string {
	if len(all) <= shownNames {
		return strings.Join(all, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:shownNames], " "), len(all)-shownNames)
}

// printRemoved reports that this node was removed from its cluster, and ends.
func (p *printer) printRemoved() {
	if p.as == asJSON {
		p.printJSON(line{Event: "removed"})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "%s  removed from the cluster\n", time.Now().Format("15:04:05.000"))
}

// printEvent reports an event of the supervisor; JSON only, because the log has it too.
func (p *printer) printEvent(e cluster.Event) {
	l := line{At: e.At, Event: string(e.Kind), Topology: e.Topology, Missed: e.Missed}
	if e.Peer.Addr != "" {
		l.Peer = e.Peer.String()
	}
	if e.Err != nil {
		l.Error = e.Err.Error()
	}
	p.printJSON(l)
}

func (p *printer) printJSON(l line) {
	if p.as != asJSON {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.At.IsZero() {
		l.At = time.Now()
	}
	l.Node = p.node
	e := json.NewEncoder(p.w)
	e.SetEscapeHTML(false)
	_ = e.Encode(l) // a reader that has gone is no reason to leave the cluster
}

// orEmpty makes an absent list an empty one: [] in JSON.
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
