package quorumlab

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/lab"
	"github.com/goconvoke/convoke/quorum"
)

// Within bounds every wait, on a machine that has other work.
const Within = 45 * time.Second

// probe is the name under which [Run] is a probe of the test binary.
const probe = "quorum"

// logLines is how many lines of a node's log are shown if the test fails.
const logLines = 60

// Settings are what the nodes of a cluster have in common. Fields that are 0 count as the defaults of quorum.Config; Expect as 3.
type Settings struct {
	Voters, Expect      int
	Lease, ReplaceAfter time.Duration
}

// Cluster is nodes in the hosts of a lab. Its methods fail the test, so they are called from its goroutine.
type Cluster struct {
	*Ledger
	Lab *lab.Lab

	t        testing.TB
	settings Settings
	dir      string
	hub      *hub
	nodes    map[string]*process
}

// process is a node, running or not.
type process struct {
	config config
	host   int
	child  *lab.Child

	mu  sync.Mutex
	log []string // the newest lines
}

// New returns a cluster without a node. At the end of the test all processes are killed and the ledger is checked.
func New(t testing.TB, l *lab.Lab, s Settings) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "quorum") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Ledger: newLedger(), Lab: l, t: t, settings: s, dir: dir, nodes: map[string]*process{}}
	if c.hub, err = newHub(filepath.Join(dir, "hub"), c.Ledger); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	return c
}

func (c *Cluster) end() {
	for _, p := range c.nodes {
		p.child.Kill()
	}
	c.hub.close()
	report, err := c.Check()
	c.t.Log(report)
	if err != nil {
		c.t.Error(err)
	}
	if c.t.Failed() {
		for name, p := range c.nodes {
			c.t.Logf("%s, the end of its log:\n%s", name, strings.Join(p.log, "\n"))
		}
	}
	if err := os.RemoveAll(c.dir); err != nil {
		c.t.Error(err)
	}
}

// Start starts a node in each of these hosts, named n1, n2 and so on by its number.
func (c *Cluster) Start(hosts ...int) {
	c.t.Helper()
	for _, i := range hosts {
		c.start(i, fmt.Sprintf("n%d", i), false)
	}
}

// StartAs starts a node of another name in a host.
func (c *Cluster) StartAs(host int, name string) {
	c.t.Helper()
	c.start(host, name, false)
}

// StartPlain starts a node without a quorum part in a host.
func (c *Cluster) StartPlain(host int, name string) {
	c.t.Helper()
	c.start(host, name, true)
}

func (c *Cluster) start(host int, name string, plain bool) {
	c.t.Helper()
	var peers []string
	for i := 1; i <= c.Lab.Hosts(); i++ {
		if i != host {
			peers = append(peers, c.Lab.IP(i)+":7946")
		}
	}
	p := &process{host: host, config: config{Name: name, Listen: c.Lab.IP(host) + ":7946", Peers: peers, Dir: filepath.Join(c.dir, name), Plain: plain,
		Socket: filepath.Join(c.dir, "hub"), Voters: c.settings.Voters, Expect: cmp.Or(c.settings.Expect, 3),
		Lease: c.settings.Lease, ReplaceAfter: c.settings.ReplaceAfter}}
	if err := os.MkdirAll(p.config.Dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	c.nodes[name] = p
	c.run(p)
}

func (c *Cluster) run(p *process) {
	c.t.Helper()
	b, err := json.Marshal(p.config)
	if err == nil {
		p.child, err = c.Lab.Probe(p.host, p.note, probe, string(b))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (p *process) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log = append(p.log, line); len(p.log) > logLines {
		p.log = slices.Delete(p.log, 0, 1)
	}
}

// Restart starts a node again on its disk.
func (c *Cluster) Restart(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.run(c.nodes[name])
	}
}

// Kill ends processes as kill -9 does, and returns when that was.
func (c *Cluster) Kill(names ...string) time.Duration {
	c.t.Helper()
	at := Now()
	for _, name := range names {
		c.Signal(name, syscall.SIGKILL)
	}
	for _, name := range names {
		c.nodes[name].child.Kill()
	}
	return at
}

// Wipe empties the disk of a node that does not run.
func (c *Cluster) Wipe(name string) {
	c.t.Helper()
	dir := c.nodes[name].config.Dir
	if err := os.RemoveAll(dir); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
}

// Signal sends a signal to a node.
func (c *Cluster) Signal(name string, s syscall.Signal) {
	c.t.Helper()
	if err := c.nodes[name].child.Signal(s); err != nil {
		c.t.Fatal(name, err)
	}
}

// Terminate asks nodes to end, all at once, and waits until they have, each with success.
func (c *Cluster) Terminate(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.Signal(name, syscall.SIGTERM)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), Within)
	defer cancel()
	for _, name := range names {
		if err := c.nodes[name].child.Wait(ctx); err != nil {
			c.t.Errorf("%s was asked to end: %v", name, err)
		}
	}
}

// PID returns the process of a node.
func (c *Cluster) PID(name string) int { return c.nodes[name].child.PID() }

// Status returns what a node knows.
func (c *Cluster) Status(ctx context.Context, name string) (s quorum.Status, err error) {
	err = c.hub.ask(ctx, name, request{Do: "status"}, &s)
	return s, err
}

// Set writes a key at a node.
func (c *Cluster) Set(ctx context.Context, name, key, value string) (e Entry, err error) {
	err = c.hub.ask(ctx, name, request{Do: "set", Key: key, Value: value}, &e)
	return e, err
}

// Get reads a key at a node.
func (c *Cluster) Get(ctx context.Context, name, key string) (e Entry, err error) {
	err = c.hub.ask(ctx, name, request{Do: "get", Key: key}, &e)
	return e, err
}

// Clients runs clients at a node and returns when all have ended; see [Ledger.History]. The error is that of ctx, or [ErrEnded].
func (c *Cluster) Clients(ctx context.Context, name string, what Clients) error {
	return c.hub.ask(ctx, name, request{Do: "clients", Clients: what}, nil)
}

// Junk has a node send what is not a frame on quorum streams to a member.
func (c *Cluster) Junk(ctx context.Context, name, member string) error {
	return c.hub.ask(ctx, name, request{Do: "junk", Member: member}, nil)
}
