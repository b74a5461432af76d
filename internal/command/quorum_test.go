package command

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goconvoke/convoke/ops"
)

// trio starts the agents a, b and c with a quorum, and returns them and their files when there is a leader.
func (s site) trio() (agents map[string]*process, files map[string]string) {
	s.t.Helper()
	agents, files = map[string]*process{}, map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		path := s.file(name, "gossip")
		text, err := os.ReadFile(path)
		if err == nil {
			more := "quorum: {lease: 1s, birth: {expect: 3}}\ngroups: {cache: {shards: 2, level: prefer}, orders: {shards: 8}}\nhttp: {listen: \"127.0.0.1:0\"}\n"
			err = os.WriteFile(path, append(text, more...), 0o600)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		agents[name], files[name] = startAgent(s.t, "-c", path, "-o", "json"), path
	}
	for _, name := range []string{"a", "b", "c"} {
		agents[name].awaitEvent("members", "a", "b", "c")
		awaitQuorum(s.t, files[name], func(q ops.QuorumStatus) bool { return q.Leader != "" && len(q.Sessions) == 3 && q.Session != "" })
	}
	return agents, files
}

// awaitQuorum asks a node until its quorum is as wanted.
func awaitQuorum(t *testing.T, file string, wanted func(ops.QuorumStatus) bool) ops.QuorumStatus {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(deadline); ; <-tick.C {
		var q ops.QuorumStatus
		got := convoke(t, "quorum", "status", "-c", file, "-o", "json")
		if got.code == exitOK && json.Unmarshal([]byte(got.stdout), &q) == nil && wanted(q) {
			return q
		}
		if time.Now().After(late) {
			t.Fatalf("quorum status of %s = %+v", file, got)
		}
	}
}

// squeeze makes one blank of each run of them: how wide the columns of a table are depends on what else is in it.
func squeeze(table string) string { return regexp.MustCompile(" +").ReplaceAllString(table, " ") }

func TestQuorumStatusNamesTheLeaderAndTransferMovesIt(t *testing.T) {
	t.Parallel()
	_, files := newSite(t).trio()
	q := awaitQuorum(t, files["a"], func(q ops.QuorumStatus) bool { return len(q.Voters) == 3 })
	text := squeeze(ok(t, "quorum", "status", "-c", files["a"]))
	for _, want := range []string{"leader " + q.Leader + "\n", "\nvoters 3 of 3 wanted\n", "\nvoter a ", "\nmember c holds 0 shards\n", "on disk\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("quorum status lacks %q:\n%s", want, text)
		}
	}
	if text := squeeze(ok(t, "status", "-c", files["b"])); !strings.Contains(text, "\nleader "+q.Leader+"\n") || !strings.Contains(text, "3 of 3 voters") || !strings.Contains(text, "\nhttp 127.0.0.1:") {
		t.Errorf("status =\n%s", text)
	}
	next := map[string]string{"a": "b", "b": "c", "c": "a"}[q.Leader]
	if got := ok(t, "quorum", "transfer", "-c", files["a"], next); got != "transferred\n" {
		t.Errorf("transfer = %q", got)
	}
	awaitQuorum(t, files["a"], func(q ops.QuorumStatus) bool { return q.Leader == next })
	refused(t, `no voter "z" answers`, "quorum", "transfer", "-c", files["a"], "z")
	refused(t, "may still be alive", "quorum", "recover", "-c", files["a"])
}

func TestStatusGivesTheReasonWhyThereIsNoLeader(t *testing.T) {
	t.Parallel()
	agents, files := newSite(t).trio()
	for _, name := range []string{"b", "c"} {
		agents[name].signal(syscall.SIGKILL)
	}
	awaitQuorum(t, files["a"], func(q ops.QuorumStatus) bool { return q.Leader == "" && strings.Contains(q.Why, "1 of 3 voters") })
	if text := squeeze(ok(t, "status", "-c", files["a"])); !strings.Contains(text, "\nleader none: 1 of 3 voters can be reached and 2 are needed; missing: b, c\n") {
		t.Errorf("status =\n%s", text)
	}
	ok(t, "quorum", "recover", "-c", files["a"], "--force")
	awaitQuorum(t, files["a"], func(q ops.QuorumStatus) bool { return q.Leader == "a" && len(q.Voters) == 1 })
}

func TestGroupsAreListedAndUnknownOnesRefused(t *testing.T) {
	t.Parallel()
	_, files := newSite(t).trio()
	want := "GROUP   LEVEL      SHARDS  COPIES  MEMBERS  VACANT  HERE\n"
	if text := ok(t, "shards", "list", "-c", files["a"]); !strings.HasPrefix(text, want) || !strings.Contains(text, "orders  exclusive  8       1       0        8       0\n") || !strings.Contains(text, "cache   prefer     2       1 ") {
		t.Errorf("shards list =\n%s", text)
	}
	if all := okJSON[[]ops.Shard](t, "shards", "status", "-c", files["b"], "cache"); len(all) != 2 || all[0].Holder == "" {
		t.Errorf("shards status of a group of level prefer = %+v", all)
	}
	refused(t, `there is no group "none"`, "shards", "status", "-c", files["a"], "none")
	for _, args := range [][]string{{"drain", "none"}, {"move", "none", "0", "a"}, {"pin", "none", "0", "a"}, {"unpin", "none", "0"}} {
		refused(t, `group "none"`, append([]string{"shards", args[0], "-c", files["a"]}, args[1:]...)...)
	}
	if got := convoke(t, "shards", "pin", "-c", files["a"], "orders", "first", "a"); got.code != exitUsage || !strings.Contains(got.stderr, `shard "first": want a number from 0`) {
		t.Errorf("pin of a shard that is not a number = %+v", got)
	}
	got := convoke(t, "__complete", "shards", "status", "-c", files["a"], "")
	if !strings.Contains(got.stdout, "orders\n") {
		t.Errorf("completion = %+v, want the groups", got)
	}
}

// elect runs elect in a process of its own and returns when it leads, with the token.
func elect(t *testing.T, file, name string, command ...string) (p *process, token uint64) {
	t.Helper()
	p = start(t, append([]string{"elect", "-c", file, name, "--"}, command...)...)
	line := p.await("a term", func(line string) bool { return strings.HasPrefix(line, "leads ") })
	token, err := strconv.ParseUint(strings.TrimPrefix(line, "leads "), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return p, token
}

// leads is a command that prints its token and goes on until it is ended.
var leads = []string{"sh", "-c", `echo "leads $CONVOKE_TOKEN"; test "$CONVOKE_SHARD" = 0 || exit 9; while :; do sleep 0.05; done`}

// exited waits for the end of a process.
func (p *process) exited() int {
	p.t.Helper()
	limit := time.After(deadline)
	for {
		select {
		case <-p.lines: // drained until its end
		case code := <-p.exit:
			return code
		case <-limit:
			p.t.Fatalf("the command goes on after %v; it wrote\n%s", deadline, p.stderr)
		}
	}
}

func TestElectRunsACommandAtOneNodeAtATime(t *testing.T) {
	t.Parallel()
	_, files := newSite(t).trio()
	first, token := elect(t, files["a"], "billing", leads...)
	if text := squeeze(ok(t, "shards", "status", "-c", files["b"], "billing")); !strings.Contains(text, fmt.Sprintf("0 a %d", token)) {
		t.Errorf("the holder is not a with the token %d:\n%s", token, text)
	}
	first.signal(syscall.SIGTERM)
	if code := first.exited(); code != exitOK {
		t.Errorf("elect ends with %d after SIGTERM: %s", code, first.stderr)
	}
	second, greater := elect(t, files["b"], "billing", leads...)
	if greater <= token {
		t.Errorf("the next token is %d, want one above %d", greater, token)
	}
	ok(t, "shards", "list", "-c", files["c"])
	second.signal(syscall.SIGTERM)
	second.exited()
}

func TestElectEndsWithTheCodeOfItsCommand(t *testing.T) {
	t.Parallel()
	_, files := newSite(t).trio()
	if got := convoke(t, "elect", "-c", files["a"], "billing", "--", "sh", "-c", "exit 7"); got.code != 7 {
		t.Errorf("elect = %+v, want code 7", got)
	}
	if got := convoke(t, "elect", "-c", files["a"], "billing", "--", "true"); got.code != exitOK {
		t.Errorf("elect = %+v, want code 0", got)
	}
	if got := convoke(t, "elect", "-c", files["a"], "billing", "--", filepath.Join(t.TempDir(), "none")); got.code != exitFailed || !strings.Contains(got.stderr, "no such file") {
		t.Errorf("elect of a command that does not exist = %+v", got)
	}
	for _, args := range [][]string{{"billing"}, {"billing", "true"}, {"--", "true"}, {"billing", "--"}} {
		if got := convoke(t, append([]string{"elect", "-c", files["a"]}, args...)...); got.code != exitUsage {
			t.Errorf("elect %q = %+v, want a usage error", args, got)
		}
	}
}

func TestACommandThatIsElectedElsewhereStandsAgain(t *testing.T) {
	t.Parallel()
	_, files := newSite(t).trio()
	p, token := elect(t, files["a"], "billing", leads...)
	q := start(t, append([]string{"elect", "-c", files["b"], "billing", "--"}, leads...)...)
	// The shard can be moved as soon as b stands for election too.
	awaitQuorum(t, files["a"], func(q ops.QuorumStatus) bool {
		return slices.ContainsFunc(q.Groups, func(g ops.Group) bool { return g.Name == "billing" && g.Members == 2 })
	})
	ok(t, "shards", "move", "-c", files["c"], "billing", "0", "b")
	line := q.await("its term", func(line string) bool { return strings.HasPrefix(line, "leads ") })
	if next, err := strconv.ParseUint(strings.TrimPrefix(line, "leads "), 10, 64); err != nil || next <= token {
		t.Errorf("the next token is %d, %v, want one above %d", next, err, token)
	}
	q.signal(syscall.SIGTERM)
	q.exited()
	p.await("a second term", func(line string) bool { return strings.HasPrefix(line, "leads ") })
	p.signal(syscall.SIGTERM)
	p.exited()
}

func TestTheMapIsReadAndWrittenFromEveryNode(t *testing.T) {
	t.Parallel()
	_, files := newSite(t).trio()
	watch := watchCommand(t, "map", "watch", "-c", files["c"], "jobs/")
	ok(t, "map", "set", "-c", files["a"], "jobs/1", "open")
	watch.awaitPair(pair("", "jobs/1", "open"))
	if got := ok(t, "map", "get", "-c", files["b"], "jobs/1"); got != "open\n" {
		t.Errorf("get = %q, want open", got)
	}
	ok(t, "map", "update", "-c", files["b"], "jobs/1", "--expect", "open", "done")
	refused(t, `"jobs/1" has another value: "done"`, "map", "update", "-c", files["c"], "jobs/1", "--expect", "open", "done")
	ok(t, "map", "update", "-c", files["c"], "jobs/2", "--absent", "new", "--session")
	refused(t, `"jobs/2" has a value already`, "map", "update", "-c", files["a"], "jobs/2", "--absent", "new")
	ok(t, "map", "delete", "-c", files["a"], "jobs/1")
	watch.awaitPair(ops.Pair{Key: "jobs/1", Gone: true})
	refused(t, `the map has no key "jobs/1"`, "map", "get", "-c", files["b"], "jobs/1")
	if got := convoke(t, "map", "update", "-c", files["a"], "jobs/1", "x"); got.code != exitUsage {
		t.Errorf("update without an expectation = %+v", got)
	}
	ok(t, "leave", "-c", files["c"])
	eventuallyRefused(t, `the map has no key "jobs/2"`, "map", "get", "-c", files["a"], "jobs/2")
}

// eventuallyRefused repeats a command until it fails with these words.
func eventuallyRefused(t *testing.T, want string, args ...string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(deadline); ; <-tick.C {
		got := convoke(t, args...)
		if got.code == exitFailed && strings.Contains(got.stderr, want) {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("convoke %q = %+v, want %q", args, got, want)
		}
	}
}

func TestANodeThatIsNotAVoterDoesNotPrintThatThereAreNone(t *testing.T) {
	q := ops.QuorumStatus{Member: "d", Role: "none", Leader: "a", Wanted: 3}
	var b strings.Builder
	if err := printQuorum(&b, q); err != nil {
		t.Fatal(err)
	}
	if text := squeeze(b.String()); !strings.Contains(text, "\nvoters 3 wanted; a voter lists them") || strings.Contains(text, "0 of 3") || strings.Contains(text, "\nlog ") {
		t.Errorf("quorum status =\n%s", text)
	}
	if line := quorumLine(q); !strings.HasPrefix(line, "not one of the 3 voters, ") {
		t.Errorf("the line of status = %q", line)
	}
}
