package command

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goconvoke/convoke/ops"
)

// namesOf returns the names of n members.
func namesOf(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("orders-%04d", i))
	}
	return all
}

// documentOf is the status of a cluster of n members with a long reason why it is not whole.
func documentOf(n int) *ops.Document {
	why := strings.Repeat("127.0.0.1:7951: connection refused (next try in 23s); ", 4) + "3 of 4 nodes are together"
	return &ops.Document{
		Node: ops.Node{Name: "orders-0000", State: ops.StateRunning}, Cluster: "orders", Members: map[string]int{"up": n},
		Topologies: []ops.Topology{{Name: "hosts", Why: why}}, Gossip: &ops.Gossip{}, Agreement: &ops.Agreement{Same: namesOf(n)},
		Quorum: &ops.QuorumStatus{Why: strings.Repeat("no voter answers, ", 8) + "and that is the reason"},
	}
}

func printed(t *testing.T, s screen, d *ops.Document) string {
	t.Helper()
	var b bytes.Buffer
	s.Writer = &b
	if err := printStatus(s, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheReasonsOfAStatusAreWhole(t *testing.T) {
	d := documentOf(3)
	text := printed(t, screen{}, d)
	for _, want := range []string{"topology hosts  not whole: " + d.Topologies[0].Why + "\n", "leader          none: " + d.Quorum.Why + "\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the status lacks %q:\n%s", want, text)
		}
	}
	narrow := printed(t, screen{width: 72}, d)
	for line := range strings.SplitSeq(strings.TrimSpace(narrow), "\n") {
		if utf8.RuneCountInString(line) > 72 {
			t.Errorf("a line has more than 72 characters: %s", line)
		}
	}
	if got, want := strings.Join(strings.Fields(narrow), " "), strings.Join(strings.Fields(text), " "); got != want {
		t.Errorf("in 72 columns the status has other words:\n%s\nwant\n%s", got, want)
	}
}

func TestTheStatusOf4000MembersStaysReadable(t *testing.T) {
	text := printed(t, screen{}, documentOf(4000))
	if !strings.Contains(text, "orders-0019 and 3980 more (all: -o wide)\n") || len(text) > 2000 {
		t.Errorf("%d bytes:\n%.3000s", len(text), text)
	}
	if all := printed(t, screen{whole: true}, documentOf(4000)); !strings.Contains(all, " orders-3999\n") || strings.Contains(all, "more") {
		t.Error("with -o wide the status lacks members")
	}
	var b bytes.Buffer
	q := ops.QuorumStatus{}
	for _, name := range namesOf(4000) {
		q.Sessions = append(q.Sessions, ops.Session{Member: name})
	}
	if err := printQuorum(screen{Writer: &b}, q); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "and 3980 members more (all: -o wide)") || strings.Count(text, "\n") > 40 {
		t.Errorf("quorum status has %d lines", strings.Count(text, "\n"))
	}
	b.Reset()
	newPrinter(&b, "a", asText).printMembers(namesOf(4000), namesOf(4000), nil)
	if text := b.String(); !strings.Contains(text, "4000 nodes: orders-0000 ") || !strings.HasSuffix(text, "+orders-0019 and 3980 more)\n") || len(text) > 1000 {
		t.Errorf("the line of a change is\n%.3000s", text)
	}
}

func TestALongCellHasItsBeginningAndItsEndOnATerminal(t *testing.T) {
	long := strings.Repeat("ä", 60) + strings.Repeat("ü", 60)
	terminal := screen{width: 100}
	if got, want := terminal.cell(long), strings.Repeat("ä", 50)+"…"+strings.Repeat("ü", 24)+" (240 bytes)"; got != want {
		t.Errorf("cell = %s, want %s", got, want)
	}
	if got := (screen{}).cell(long); got != long {
		t.Errorf("without a terminal the cell = %s", got)
	}
	if got := terminal.cell("\x1b[2J"); got != `"\x1b[2J"` {
		t.Errorf("cell = %s", got)
	}
	if got := terminal.cell(strings.Repeat("\xff", 100)); !utf8.ValidString(got) {
		t.Errorf("cell = %q", got)
	}
}

func TestATimeoutOfACommandIsExact(t *testing.T) {
	socket := filepath.Join(newSite(t).dir, "s")
	l, err := net.Listen("unix", socket) // it accepts, and never answers: as an agent that is frozen
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	began := time.Now()
	r := agentClient{socket: socket, timeout: 400 * time.Millisecond}
	err = r.ask(context.Background(), get("status"), nil)
	if took := time.Since(began); took < 400*time.Millisecond || took > 1500*time.Millisecond {
		t.Errorf("it took %v, want 400 ms", took)
	}
	if err == nil || !strings.Contains(err.Error(), "the agent did not answer within 400ms") {
		t.Errorf("ask = %v", err)
	}
	r.timeout = time.Hour
	if err := r.ask(context.Background(), get("status"), nil); err == nil || !strings.Contains(err.Error(), "--timeout 1h0m0s is above 10m0s") {
		t.Errorf("ask for an hour = %v", err)
	}
}
