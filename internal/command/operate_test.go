package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/strategy/builtin"
)

func TestCommandsFindTheOnlyAgentOfTheUserWithoutAFile(t *testing.T) {
	s := newSite(t)
	t.Setenv("XDG_RUNTIME_DIR", s.dir)
	t.Setenv("TMPDIR", s.dir)
	refused(t, "no agent runs as this user: add -c FILE", "members")
	a, b := s.file("a", "gossip"), s.file("b", "gossip")
	startAgent(t, "-c", a, "-o", "json").awaitEvent("members", "a")
	if got := okJSON[[]ops.Member](t, "members"); len(got) != 1 || got[0].Name != "a" {
		t.Errorf("members of the only agent = %+v", got)
	}
	if err := os.WriteFile(a, []byte("cluster: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ok(t, "status")
	startAgent(t, "-c", b, "-o", "json").awaitEvent("members", "a", "b")
	refused(t, "2 agents of this user run: name one with -c FILE, --node NAME or --socket PATH", "members")
	refused(t, "lab@b (--socket "+s.dir, "members")
	if got := okJSON[ops.Document](t, "status", "--node", "b"); got.Node.Name != "b" {
		t.Errorf("status of b = %+v", got.Node)
	}
	refused(t, "no agent runs as this user", "members", "--node", "zz")
	t.Setenv(socketVariable, filepath.Join(s.dir, "a", "admin.sock"))
	if got := okJSON[ops.Document](t, "status"); got.Node.Name != "a" {
		t.Errorf("status of the agent of %s = %+v", socketVariable, got.Node)
	}
	refused(t, `this agent is the node "a", not "b"`, "members", "--node", "b")
}

func TestWaitReturnsWhenTheClusterHasFormed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.file("a", "gossip")
	refused(t, "after 300ms: no agent runs for "+a, "wait", "-c", a, "--timeout", "300ms")
	text, err := os.ReadFile(a)
	if err == nil {
		err = os.WriteFile(a, []byte(strings.Replace(string(text), "strategy: local", "expect: 2, strategy: local", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	waits := start(t, "wait", "-c", a, "--timeout", "20s") // for an agent that is not started yet
	startAgent(t, "-c", a, "-o", "json").awaitEvent("members", "a")
	waits.await("that it runs", func(line string) bool { return line == "running" })
	if code := waits.exited(); code != exitOK {
		t.Errorf("wait ends with %d: %s", code, waits.stderr)
	}
	refused(t, "1 of 2 nodes are together; 1 node is in no answer", "wait", "-c", a, "--formed", "--timeout", "300ms")
	refused(t, `no topology is named "none"`, "wait", "-c", a, "--formed", "none", "--timeout", "300ms")
	startAgent(t, "-c", s.file("b", "gossip"), "-o", "json")
	if got := ok(t, "wait", "-c", a, "--formed", "here", "--timeout", "20s"); got != "formed\n" {
		t.Errorf("wait = %q", got)
	}
	got := convoke(t, "__complete", "wait", "-c", a, "")
	if !strings.Contains(got.stdout, "here\n") {
		t.Errorf("completion = %+v, want the topology", got)
	}
}

func TestEventsArePrintedAndFollowed(t *testing.T) {
	t.Parallel()
	_, _, a, b := newSite(t).pair()
	if text := ok(t, "events", "-c", a); !strings.Contains(text, "  formed  topology here\n") {
		t.Errorf("events =\n%s", text)
	}
	follow := start(t, "events", "-c", a, "-f", "-o", "json")
	event := func(kind string) {
		t.Helper()
		follow.await(kind, func(line string) bool {
			var e ops.Event
			return json.Unmarshal([]byte(line), &e) == nil && e.Kind == kind && e.ID > 0 && time.Since(e.At) < time.Hour
		})
	}
	event("formed") // one of those that are kept
	ok(t, "leave", "-c", b)
	event("left")
	follow.signal(syscall.SIGINT)
	if code := follow.exited(); code != exitOK {
		t.Errorf("events -f ends with %d: %s", code, follow.stderr)
	}
}

func TestReloadExitsWith1AndTheMistakes(t *testing.T) {
	t.Parallel()
	file := newSite(t).file("a", "gossip")
	startAgent(t, "-c", file, "-o", "json").awaitEvent("members", "a")
	if got := ok(t, "reload", "-c", file); got != "reloaded\n" {
		t.Errorf("reload = %q", got)
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, append(text, "topologys: {}\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	refused(t, file+`:4:1: unknown key "topologys"`, "reload", "-c", file)
	if got := okJSON[ops.Document](t, "status", "-c", file); len(got.Topologies) != 1 {
		t.Errorf("topologies after a reload that was refused = %+v", got.Topologies)
	}
}

func TestCheckReadsStdinAndPrintsJSON(t *testing.T) {
	options := cluster.LoadOptions{Strategies: builtin.Registry()}
	const good = "cluster: lab\ntopologies: {here: {strategy: local}}\n"
	if got := checkFile(strings.NewReader(good), "-", options); !got.OK || got.Topologies != 1 {
		t.Errorf("check of stdin = %+v", got)
	}
	if got := checkFile(strings.NewReader("cluster: lab\n"), "-", options); got.OK || len(got.Errors) != 1 || !strings.HasPrefix(got.Errors[0], "-:1:1: topologies: required") {
		t.Errorf("check of a bad stdin = %+v", got)
	}
	file, bad := write(t, "good.yaml", good), write(t, "bad.yaml", "cluster: lab\ntopologies: {here: {strategy: statik}}\n")
	got := convoke(t, "check", "-o", "json", file, bad)
	var all []checked
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil || got.code != exitFailed || got.stderr != "" || len(all) != 2 || !all[0].OK || all[1].OK || len(all[1].Errors) != 1 {
		t.Errorf("check = %+v, %v", got, err)
	}
}

func TestTheVersionIsAFlagToo(t *testing.T) {
	if got := ok(t, "--version"); got != ok(t, "version") {
		t.Errorf("--version = %q", got)
	}
}
