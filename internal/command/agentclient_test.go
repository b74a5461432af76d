package command

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/ops"
)

// site is a place for agents of one cluster with a data directory each; its paths are short, for the sockets.
type site struct {
	t   *testing.T
	dir string
}

func newSite(t *testing.T) site {
	t.Helper()
	dir, err := os.MkdirTemp("", "site")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return site{t, dir}
}

// file writes the file of a node.
func (s site) file(node, connector string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, node+".yaml")
	text := fmt.Sprintf("cluster: lab\nnode: {name: %s, listen: \"127.0.0.1:0\", data_dir: %s}\ntopologies: {here: {strategy: local, connector: %s, config: {dir: %s}}}\n",
		node, filepath.Join(s.dir, node), connector, filepath.Join(s.dir, "meet"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// pair starts the agents a and b, and returns when they have met.
func (s site) pair() (a, b *process, fileA, fileB string) {
	s.t.Helper()
	fileA, fileB = s.file("a", "gossip"), s.file("b", "gossip")
	a, b = startAgent(s.t, "-c", fileA, "-o", "json"), startAgent(s.t, "-c", fileB, "-o", "json")
	a.awaitEvent("members", "a", "b")
	b.awaitEvent("members", "a", "b")
	return a, b, fileA, fileB
}

// ok runs a command that must work, and returns what it printed.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	got := convoke(t, args...)
	if got.code != exitOK || got.stderr != "" {
		t.Fatalf("convoke %q = %+v, want exit code 0", args, got)
	}
	return got.stdout
}

// okJSON runs a command that prints one JSON value.
func okJSON[T any](t *testing.T, args ...string) (v T) {
	t.Helper()
	text := ok(t, append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("convoke %q printed %q: %v", args, text, err)
	}
	return v
}

// refused runs a command that must fail with these words.
func refused(t *testing.T, want string, args ...string) {
	t.Helper()
	if got := convoke(t, args...); got.code != exitFailed || !strings.Contains(got.stderr+got.stdout, want) {
		t.Errorf("convoke %q = %+v, want exit code 1 and %q", args, got, want)
	}
}

// eventually repeats a command until it prints what is wanted.
func eventually(t *testing.T, want string, args ...string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(deadline); ; <-tick.C {
		got := convoke(t, args...)
		if got.code == exitOK && got.stdout == want {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("convoke %q = %+v, want %q", args, got, want)
		}
	}
}

func TestMembersAndStatusTellHowTheClusterIs(t *testing.T) {
	t.Parallel()
	_, _, a, b := newSite(t).pair()
	ok(t, "keys", "set", "-c", b, "role", "web")
	eventually(t, "web\n", "keys", "get", "-c", a, "b", "role")

	table := strings.Split(ok(t, "members", "-c", a), "\n")
	if len(table) != 4 || strings.Join(strings.Fields(table[0]), " ") != "NAME STATUS ADDRESS LINKS PHI KEYS" || !strings.HasPrefix(table[2], "b ") {
		t.Errorf("members =\n%s\nwant a head and the lines of a and b", strings.Join(table, "\n"))
	}
	want := []ops.Member{{Name: "a", Status: "up", Links: 1, Self: true}, {Name: "b", Status: "up", Links: 1, Keys: 1}}
	if diff := cmp.Diff(want, okJSON[[]ops.Member](t, "members", "-c", a), cmpopts.IgnoreFields(ops.Member{}, "Addr", "Phi", "Since")); diff != "" {
		t.Errorf("members (-want +got)\n%s", diff)
	}

	s := okJSON[ops.Document](t, "status", "-c", a)
	for late := time.Now().Add(deadline); (s.Agreement == nil || len(s.Agreement.Same) < 2) && time.Now().Before(late); {
		s = okJSON[ops.Document](t, "status", "-c", a) // they differ for a moment after a change
	}
	if s.Node.Name != "a" || s.Node.State != ops.StateRunning || s.Cluster != "lab" || s.Node.Connector != "gossip" || s.Members["up"] != 2 || s.Gossip.Isolated || s.Counters["frames_in"] == 0 || len(s.Links) != 1 || s.Links[0].Peer != "b" {
		t.Errorf("status = %+v", s)
	}
	if diff := cmp.Diff(&ops.Agreement{Same: []string{"a", "b"}, Differ: []string{}, Silent: []string{}}, s.Agreement, cmpopts.IgnoreFields(ops.Agreement{}, "At")); diff != "" {
		t.Errorf("agreement (-want +got)\n%s", diff)
	}
	text := squeeze(ok(t, "status", "-c", a))
	for _, want := range []string{"node a\n", "\nstate running\n", "\nmembers 2 up\n", "\nsame a b\n", "\ntopology here whole: local answered", "\nlink b since ", "round trip ", "\nsecurity none\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("status lacks %q:\n%s", want, text)
		}
	}
}

func TestKeysAreReadWrittenAndWithdrawn(t *testing.T) {
	t.Parallel()
	_, _, a, b := newSite(t).pair()
	ok(t, "keys", "set", "-c", a, "role", "web & <more>\nlines")
	eventually(t, "web & <more>\nlines\n", "keys", "get", "-c", b, "a", "role")
	if got := ok(t, "keys", "get", "-c", a, "role"); got != "web & <more>\nlines\n" {
		t.Errorf("get of an own key = %q", got)
	}
	if diff := cmp.Diff([]ops.Pair{pair("a", "role", "web & <more>\nlines")}, okJSON[[]ops.Pair](t, "keys", "list", "-c", b)); diff != "" {
		t.Errorf("list (-want +got)\n%s", diff)
	}
	if text := ok(t, "keys", "list", "-c", b, "a"); !strings.Contains(text, `"web & <more>\nlines"`) {
		t.Errorf("a table with a newline in a value:\n%s", text)
	}
	refused(t, `"b" publishes no key "role"`, "keys", "get", "-c", b, "role")
	refused(t, `no member is called "c"`, "keys", "get", "-c", b, "c", "role")
	refused(t, "want 1 to 256", "keys", "set", "-c", a, strings.Repeat("k", 257), "v")
	ok(t, "keys", "delete", "-c", a, "role")
	refused(t, `"a" publishes no key "role"`, "keys", "get", "-c", a, "role")
}

func TestTheSharedMapIsReadAndWrittenFromEveryMember(t *testing.T) {
	t.Parallel()
	_, _, a, b := newSite(t).pair()
	ok(t, "shared", "set", "-c", a, "jobs/1", "open")
	ok(t, "shared", "set", "-c", a, "jobs/2", "open")
	ok(t, "shared", "set", "-c", a, "other", "x")
	ok(t, "shared", "sync", "-c", a)
	if got := ok(t, "shared", "get", "-c", b, "jobs/1"); got != "open\n" {
		t.Errorf("get = %q, want open", got)
	}
	ok(t, "shared", "update", "-c", b, "jobs/1", "--expect", "open", "done")
	refused(t, `"jobs/1" has another value: "done"`, "shared", "update", "-c", b, "jobs/1", "--expect", "open", "done")
	refused(t, `no key "jobs/3"`, "shared", "update", "-c", b, "jobs/3", "--expect", "", "done")
	ok(t, "shared", "update", "-c", b, "jobs/3", "--absent", "new")
	refused(t, `"jobs/3" has a value already: "new"`, "shared", "update", "-c", b, "jobs/3", "--absent", "new")
	ok(t, "shared", "delete", "-c", b, "jobs/2")
	ok(t, "shared", "sync", "-c", b)
	want := []ops.Pair{pair("", "jobs/1", "done"), pair("", "jobs/3", "new")}
	if diff := cmp.Diff(want, okJSON[[]ops.Pair](t, "shared", "list", "-c", a, "jobs/")); diff != "" {
		t.Errorf("list (-want +got)\n%s", diff)
	}
	refused(t, `no key "jobs/2"`, "shared", "get", "-c", a, "jobs/2")
	ok(t, "shared", "set", "-c", a, "brief", "x", "--ttl", "50ms")
	eventually(t, "KEY    VALUE\nother  x\n", "shared", "list", "-c", a, "o")
	eventually(t, "KEY  VALUE\n", "shared", "list", "-c", a, "b")
}

// pair returns a key with its value.
func pair(member, key, value string) ops.Pair {
	return ops.Pair{Member: member, Key: ops.Text(key), Value: (*ops.Text)(&value), Size: len(value)}
}

// watchCommand runs a watch in a process of its own and returns its lines.
func watchCommand(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, append(args, "-o", "json")...)
}

// awaitPair returns when a watch has printed this pair.
func (p *process) awaitPair(want ops.Pair) {
	p.t.Helper()
	p.await(fmt.Sprint(want), func(text string) bool {
		var got ops.Pair
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			p.t.Fatalf("stdout holds %q: %v", text, err)
		}
		return cmp.Equal(got, want)
	})
}

func TestWatchesTellWhatThereIsAndWhatChanges(t *testing.T) {
	t.Parallel()
	_, _, a, b := newSite(t).pair()
	ok(t, "keys", "set", "-c", a, "role", "web")
	ok(t, "shared", "set", "-c", a, "jobs/1", "open")
	keys, shared := watchCommand(t, "keys", "watch", "-c", b), watchCommand(t, "shared", "watch", "-c", b, "jobs/")
	keys.awaitPair(pair("a", "role", "web"))
	shared.awaitPair(pair("", "jobs/1", "open"))
	ok(t, "keys", "delete", "-c", a, "role")
	ok(t, "shared", "set", "-c", a, "other", "x")
	ok(t, "shared", "delete", "-c", a, "jobs/1")
	keys.awaitPair(ops.Pair{Member: "a", Key: "role", Gone: true})
	shared.awaitPair(ops.Pair{Key: "jobs/1", Gone: true})

	keys.signal(syscall.SIGINT)
	if code := keys.awaitExit(); code != exitOK {
		t.Errorf("exit code of a watch that was asked to stop = %d, want 0; %s", code, keys.stderr)
	}
	ok(t, "leave", "-c", b)
	if code := shared.awaitExit(); code != exitFailed || !strings.Contains(shared.stderr.String(), "the agent has ended") {
		t.Errorf("exit code of a watch whose agent ended = %d, want 1; %s", code, shared.stderr)
	}
}

func TestWhatWasWrittenOutlivesAKill(t *testing.T) {
	t.Parallel()
	_, agentB, a, b := newSite(t).pair()
	ok(t, "keys", "set", "-c", b, "role", "db")
	ok(t, "shared", "set", "-c", b, "jobs/1", "open")
	agentB.signal(syscall.SIGKILL)
	agentB.awaitExit()
	refused(t, "no agent runs for "+b+": start one with convoke agent -c "+b, "members", "-c", b)

	alone := startAgent(t, "-c", b, "-o", "json")
	alone.awaitEvent("members", "b")
	eventually(t, "db\n", "keys", "get", "-c", b, "role")
	eventually(t, "open\n", "shared", "get", "-c", b, "jobs/1")
	alone.awaitEvent("members", "a", "b")
	eventually(t, "db\n", "keys", "get", "-c", a, "b", "role")
}

func TestALeaveEndsTheAgentAndIsAnnounced(t *testing.T) {
	t.Parallel()
	agentA, agentB, a, b := newSite(t).pair()
	ok(t, "leave", "-c", b)
	if code := agentB.awaitExit(); code != exitOK {
		t.Errorf("exit code = %d, want 0; %s", code, agentB.stderr)
	}
	agentA.awaitEvent("members", "a")
	if got := okJSON[[]ops.Member](t, "members", "-c", a); len(got) != 2 || got[1].Status != "left" {
		t.Errorf("members = %+v, want b to have left", got)
	}
}

func TestARemovedAgentEndsAndComesBackOnlyOnPurpose(t *testing.T) {
	t.Parallel()
	agentA, agentB, a, b := newSite(t).pair()
	refused(t, "it leaves", "remove", "-c", a, "a")
	refused(t, `"unknown"`, "remove", "-c", a, "unknown")
	ok(t, "remove", "-c", a, "b")
	agentB.awaitEvent("removed")
	want := fmt.Sprintf(`"b" was removed from the cluster "lab" and has stopped; to bring it back, start it with convoke agent -c %s --rejoin`, b)
	if code := agentB.awaitExit(); code != exitFailed || !strings.Contains(agentB.stderr.String(), want) {
		t.Errorf("exit code = %d, want 1; its log:\n%s\nwant %s", code, agentB.stderr, want)
	}
	agentA.awaitEvent("members", "a")

	again := startAgent(t, "-c", b)
	again.await("line of its removal", func(l string) bool { return strings.HasSuffix(l, "  removed from the cluster") })
	if code := again.awaitExit(); code != exitFailed {
		t.Errorf("exit code without --rejoin = %d, want 1", code)
	}

	startAgent(t, "-c", b, "--rejoin", "-o", "json").awaitEvent("members", "a", "b")
	agentA.awaitEvent("members", "a", "b")
}

func TestJoinCallsANodeThatNoStrategyFinds(t *testing.T) {
	t.Parallel()
	near, far := newSite(t), newSite(t)
	a, b := near.file("a", "gossip"), far.file("b", "gossip")
	agentA, agentB := startAgent(t, "-c", a, "-o", "json"), startAgent(t, "-c", b, "-o", "json")
	agentA.awaitEvent("members", "a")
	agentB.awaitEvent("members", "b")
	addr := string(okJSON[[]ops.Member](t, "members", "-c", b)[0].Addr)
	if got := ok(t, "join", "-c", a, addr); got != addr+": joined\n" {
		t.Errorf("join = %q", got)
	}
	agentA.awaitEvent("members", "a", "b")
	refused(t, "127.0.0.1:1: ", "join", "-c", a, "127.0.0.1:1")
}

func TestASecondAgentWithTheSameDataDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	file := s.file("a", "gossip")
	startAgent(t, "-c", file, "-o", "json").awaitEvent("members", "a")
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	got := convokeContext(t, ctx, "agent", "-c", file)
	if got.code != exitFailed || !strings.Contains(got.stderr, filepath.Join(s.dir, "a", "admin.sock")+": an agent that is running has this socket") {
		t.Errorf("agent = %+v, want exit code 1 and the socket", got)
	}
}

func TestAnAgentWithoutADataDirectoryIsFoundByItsNames(t *testing.T) {
	t.Parallel()
	file := localFile(t)
	node := filepath.Base(t.TempDir()) + t.Name()
	startAgent(t, "-c", file, "--node", node, "-o", "json").awaitEvent("members", node)
	if got := okJSON[[]ops.Member](t, "members", "-c", file, "--node", node); len(got) != 1 || got[0].Name != node {
		t.Errorf("members = %+v, want the node", got)
	}
	path := admin.Paths("", "lab", node)[0]
	if got := okJSON[[]ops.Member](t, "members", "--socket", path); len(got) != 1 {
		t.Errorf("members --socket = %+v, want the node", got)
	}
	refused(t, "no agent listens there", "members", "--socket", path+"x")
	refused(t, "no agent runs for "+file, "members", "-c", file, "--node", "unknown")
}

func TestAnAgentWithoutASocketRunsAndLogsThat(t *testing.T) {
	t.Parallel()
	file := write(t, "long.yaml", "cluster: lab\nnode: {name: a, listen: \"127.0.0.1:0\", data_dir: "+filepath.Join(t.TempDir(), strings.Repeat("d", 100))+
		"}\ntopologies: {here: {strategy: local, config: {dir: "+t.TempDir()+"}}}\n")
	p := startAgent(t, "-c", file, "-o", "json")
	p.awaitEvent("members", "a")
	p.awaitLog("no admin socket", "at most 103 are possible")
	refused(t, "at most 103 are possible", "members", "-c", file)
}

func TestAnAgentIsFoundThoughItsFileHasMistakesByNow(t *testing.T) {
	t.Parallel()
	file := newSite(t).file("a", "gossip")
	startAgent(t, "-c", file, "-o", "json").awaitEvent("members", "a")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "topologys: {}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := okJSON[[]ops.Member](t, "members", "-c", file); len(got) != 1 {
		t.Errorf("members = %+v, want the node", got)
	}
	refused(t, `this agent is the node "a", not "zz"`, "members", "-c", file, "--node", "zz")
}

func TestTheShellCompletesNamesAndKeysFromTheAgent(t *testing.T) {
	t.Parallel()
	_, _, a, _ := newSite(t).pair()
	ok(t, "shared", "set", "-c", a, "jobs/1", "open")
	for _, c := range []struct{ args, want []string }{
		{[]string{"remove", "-c", a, ""}, []string{"a", "b"}},
		{[]string{"keys", "get", "-c", a, ""}, []string{"a", "b"}},
		{[]string{"shared", "get", "-c", a, ""}, []string{"jobs/1"}},
		{[]string{"shared", "get", "-c", a, "jobs/1", ""}, nil},
	} {
		got := convoke(t, append([]string{"__complete"}, c.args...)...)
		words := slices.DeleteFunc(strings.Fields(got.stdout), func(w string) bool { return strings.HasPrefix(w, ":") })
		if diff := cmp.Diff(c.want, words, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("completion of %q (-want +got)\n%s", c.args, diff)
		}
	}
	if got := ok(t, "completion", "bash"); !strings.Contains(got, "__start_convoke") {
		t.Error("completion bash prints no script")
	}
}

func TestWhatOthersWroteCannotSpoilATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		"ärger":                  "ärger",
		"\x1b[2J":                `"\x1b[2J"`,
		"a\tb":                   `"a\tb"`,
		"\xff":                   `"\xff"`,
		strings.Repeat("x", 100): strings.Repeat("x", 100),
	} {
		if got := displayText(in); got != want {
			t.Errorf("shown(%q) = %s, want %s", in, got, want)
		}
	}
}
