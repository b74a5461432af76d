package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goconvoke/convoke/connector/gossip"
)

// asConvoke makes the test binary the real command, so that tests can send it signals.
const asConvoke = "CONVOKE_TEST_AS_CONVOKE"

func TestMain(m *testing.M) {
	if os.Getenv(asConvoke) != "" {
		os.Exit(Main("convoke", gossip.Kind))
	}
	os.Exit(runTests(m))
}

// runTests keeps the admin sockets of agents without a data directory out of the way of real ones.
func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cvk")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("XDG_RUNTIME_DIR", dir); err != nil {
		panic(err)
	}
	return m.Run()
}

const deadline = 20 * time.Second // for each thing an agent is waited for

// process is an agent in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string // of stdout; closed at its end
	stderr *syncBuffer
	exit   chan int
}

// startAgent starts an agent and ends it with the test.
func startAgent(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, append([]string{"agent"}, args...)...)
}

// start starts a command in a process of its own and ends it with the test.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, lines: make(chan string), stderr: &syncBuffer{grown: make(chan struct{}, 1)}, exit: make(chan int, 1)}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), asConvoke+"=1")
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.lines <- lines.Text()
		}
		close(p.lines)
		_ = p.cmd.Wait()
		p.exit <- p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		for range p.lines { // until its end
		}
	})
	return p
}

// await returns the first line that is wanted.
func (p *process) await(what string, wanted func(line string) bool) string {
	p.t.Helper()
	limit := time.After(deadline)
	var seen []string
	for {
		select {
		case l, open := <-p.lines:
			if !open {
				p.t.Fatalf("the agent ended before %s; it printed\n%s\n%s", what, strings.Join(seen, "\n"), p.stderr)
			}
			if seen = append(seen, l); wanted(l) {
				return l
			}
		case <-limit:
			p.t.Fatalf("no %s within %v; the agent printed\n%s\n%s", what, deadline, strings.Join(seen, "\n"), p.stderr)
		}
	}
}

// awaitEvent returns the first JSON line with this event and, if any are given, these members.
func (p *process) awaitEvent(event string, members ...string) line {
	p.t.Helper()
	var got line
	p.await(fmt.Sprint(event, " ", members), func(text string) bool {
		got = line{}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			p.t.Fatalf("stdout holds %q: %v", text, err)
		}
		return got.Event == event && (members == nil || slices.Equal(got.Members, members))
	})
	return got
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// signalEvery signals at once and again and again, because an agent that has just started may not
// listen yet, until the function that it returns is called.
func (p *process) signalEvery(interval time.Duration, s os.Signal) (stop func()) {
	p.t.Helper()
	p.signal(s)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				_ = p.cmd.Process.Signal(s)
			}
		}
	}()
	return func() { close(quit); <-ended }
}

// awaitExit returns the exit code; what is still printed is dropped.
func (p *process) awaitExit() int {
	p.t.Helper()
	limit := time.After(deadline)
	for {
		select {
		case _, open := <-p.lines:
			if !open {
				p.lines = nil // its end is known; a closed channel would be ready for ever
			}
		case code := <-p.exit:
			p.lines = make(chan string)
			close(p.lines)
			return code
		case <-limit:
			p.t.Fatalf("the agent did not end within %v; its log:\n%s", deadline, p.stderr)
		}
	}
}

// awaitLog waits until the log holds all of these.
func (p *process) awaitLog(parts ...string) {
	p.t.Helper()
	limit := time.After(deadline)
	for {
		log := p.stderr.String()
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(log, part) }) {
			return
		}
		select {
		case <-p.stderr.grown:
		case <-limit:
			p.t.Fatalf("the log lacks one of %q:\n%s", parts, log)
		}
	}
}

// syncBuffer is a buffer that may be read while it is written.
type syncBuffer struct {
	grown chan struct{} // of one

	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.grown <- struct{}{}:
	default:
	}
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// localFile writes a file whose nodes meet in a directory of this test.
func localFile(t *testing.T) string {
	t.Helper()
	return write(t, "topology.yaml", "cluster: lab\nnode: {name: x, listen: \"127.0.0.1:0\"}\n"+
		"topologies: {here: {strategy: local, config: {dir: "+t.TempDir()+"}}}\n")
}

func TestAgentsFindEachOtherAndLeave(t *testing.T) {
	t.Parallel()
	file := localFile(t)
	a := startAgent(t, "-c", file, "--node", "a", "-o", "json")
	if got := a.awaitEvent("started"); got.Cluster != "lab" || got.Node != "a" || got.At.IsZero() {
		t.Errorf("first line = %+v, want cluster lab, node a and a time", got)
	}
	if got := a.awaitEvent("members"); !slices.Equal(got.Members, []string{"a"}) || !slices.Equal(got.Joined, []string{"a"}) || len(got.Left) > 0 {
		t.Errorf("second line = %+v, want the agent alone", got)
	}
	b := startAgent(t, "-c", file, "--node", "b")
	if got := a.awaitEvent("members", "a", "b"); !slices.Equal(got.Joined, []string{"b"}) {
		t.Errorf("joined = %v, want b", got.Joined)
	}
	text := regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3}  2 nodes: a b  \(\+a\)$`)
	b.await("line of two nodes", text.MatchString)

	b.signal(syscall.SIGTERM)
	if code := b.awaitExit(); code != exitOK {
		t.Errorf("exit code of an agent that was asked to stop = %d, want 0; its log:\n%s", code, b.stderr)
	}
	began := time.Now()
	if got := a.awaitEvent("members", "a"); !slices.Equal(got.Left, []string{"b"}) {
		t.Errorf("left = %v, want b", got.Left)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a leave was noticed after %v, want at once", took)
	}
}

func TestAgentReloadsOnSIGHUP(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGHUP")
	}
	t.Parallel()
	file := localFile(t)
	p := startAgent(t, "-c", file, "-o", "json")
	p.awaitEvent("members")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(text, event string) line {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		defer p.signalEvery(200*time.Millisecond, syscall.SIGHUP)()
		return p.awaitEvent(event)
	}
	if got := rewrite(string(good)+"topologys: {}\n", "reload_failed"); !strings.Contains(got.Error, `unknown key "topologys"`) {
		t.Errorf("error = %q, want the mistake", got.Error)
	}
	rewrite(strings.Replace(string(good), "here:", "there:", 1), "reloaded")
}

func TestAgentOutlivesAPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	socket := filepath.Join(newSite(t).dir, "s")
	p := startAgent(t, "-c", localFile(t), "--node", "a", "--listen", taken.Addr().String(), "--socket", socket)
	p.await("line of one node", func(l string) bool { return strings.HasSuffix(l, "1 node: a  (+a)") })
	p.awaitLog("cannot start", taken.Addr().String())
	refused(t, "the node does not run: ", "members", "--socket", socket)
	p.signal(os.Interrupt)
	if code := p.awaitExit(); code != exitOK {
		t.Errorf("exit code = %d, want 0", code)
	}
}

func TestAgentRefusesWhatItCannotDo(t *testing.T) {
	tls := write(t, "tls.yaml", "cluster: lab\nnode: {tls: {cert: a, key: b, ca: c}}\ntopologies: {here: {strategy: local}}\n")
	bad := write(t, "bad.yaml", "cluster: lab\ntopologies: {here: {strategy: locl}}\n")
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	both := write(t, "both.yaml", "cluster: lab\nnode: {tls: {cert: a, key: b, ca: c}, keys: ["+key+"]}\ntopologies: {here: {strategy: local}}\n")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a socket that cannot be", []string{"-c", localFile(t), "--socket", "/dev/null/x"}, "admin socket"},
		{"a certificate that is not there", []string{"-c", tls}, tls + ":2:20: node.tls.cert: open a: no such file"},
		{"TLS and keys", []string{"-c", both}, both + ":2:45: node.keys: node.tls is given too"},
		{"a file with mistakes", []string{"-c", bad}, `unknown strategy "locl"`},
		{"a bad address", []string{"-c", localFile(t), "--listen", "nowhere"}, `"nowhere": want host:port`},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			got := convokeContext(t, ctx, append([]string{"agent"}, c.args...)...)
			if got.code != exitFailed || !strings.Contains(got.stderr, c.want) {
				t.Errorf("agent = %+v, want exit code 1 and %q", got, c.want)
			}
		})
	}
}
