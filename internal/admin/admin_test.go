package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/ops"
)

// socketDir is short: a socket's path has little room.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "adm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// serve answers on a fresh socket until the test ends.
func serve(t *testing.T, h http.HandlerFunc) *Server {
	t.Helper()
	s, err := Serve(filepath.Join(socketDir(t), "s"), h, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// echo answers with the body, and fails if it is empty.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err == nil && len(b) == 0 {
		err = errors.New("nothing to reply")
	}
	if err != nil {
		ops.WriteProblem(w, err)
		return
	}
	_, _ = w.Write(b)
}

// ask sends texts and returns the answer.
func ask(t *testing.T, path string, texts ...ops.Text) (got []ops.Text, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var body any
	if len(texts) > 0 {
		body = texts
	}
	err = NewClient(path).Do(ctx, http.MethodPost, "/", nil, body, &got)
	return got, err
}

func TestAnyBytesComeThrough(t *testing.T) {
	s := serve(t, echo)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, want := range []ops.Text{"", "plain", "<&>\"\\\n\t", "\x00", "\xff", "\u2028", `{"base64":"AA=="}`, ops.Text(every)} {
		got, err := ask(t, s.Path(), "k", want)
		if diff := cmp.Diff([]ops.Text{"k", want}, got); diff != "" || err != nil {
			t.Errorf("%q: %v, (-want +got)\n%s", want, err, diff)
		}
	}
}

func TestAnErrorOfTheAgentKeepsItsWords(t *testing.T) {
	s := serve(t, echo)
	if _, err := ask(t, s.Path()); err == nil || err.Error() != "nothing to reply" {
		t.Errorf("error = %v, want nothing to reply", err)
	}
	var p *ops.Problem
	if _, err := ask(t, s.Path()); !errors.As(err, &p) || p.Status != http.StatusInternalServerError {
		t.Errorf("error = %#v, want the problem", err)
	}
}

func TestAnAnswerThatIsNoProblemIsQuoted(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no idea", http.StatusTeapot) })
	if _, err := ask(t, s.Path()); err == nil || !strings.Contains(err.Error(), `418 I'm a teapot: "no idea`) {
		t.Errorf("error = %v", err)
	}
}

func TestAStreamIsReadToItsEndOrItsError(t *testing.T) {
	for _, c := range []struct{ sent, want string }{
		{"event: pair\ndata: 1\n\n:\n\nid: 7\nevent: pair\ndata: 2\n\n", "[pair 1 pair 2] <nil>"},
		{"event: pair\ndata: 1\n\nevent: error\ndata: {\"detail\": \"over\"}\n\n", "[pair 1] over"},
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.sent) })
		var got []string
		err := NewClient(s.Path()).Stream(t.Context(), http.MethodGet, "/", nil, func(event string, data json.RawMessage) error {
			got = append(got, event+" "+string(data))
			return nil
		})
		if text := fmt.Sprint(got, " ", err); text != c.want {
			t.Errorf("stream = %s, want %s", text, c.want)
		}
	}
}

// waiting serves requests that last until they are ended, and reports each start and end.
func waiting(t *testing.T) (s *Server, started, ended chan struct{}) {
	t.Helper()
	started, ended = make(chan struct{}, 2*maxRequests), make(chan struct{}, 2*maxRequests)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
		ops.WriteProblem(w, errors.New("asked to end"))
	}), started, ended
}

// wait sends a request that lasts until ctx is done.
func wait(ctx context.Context, path string) error {
	return NewClient(path).Do(ctx, http.MethodGet, "/", nil, nil, nil)
}

// receiveFrom fails the test when nothing comes.
func receiveFrom[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s", what)
	}
	return v
}

func TestHangingUpEndsARequest(t *testing.T) {
	s, started, ended := waiting(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- wait(ctx, s.Path()) }()
	receiveFrom(t, "start", started)
	cancel()
	receiveFrom(t, "end", ended)
	if err := receiveFrom(t, "result", result); !errors.Is(err, context.Canceled) {
		t.Errorf("Call = %v, want context.Canceled", err)
	}
}

func TestCloseEndsAllRequestsAndTakesTheSocketAway(t *testing.T) {
	s, started, _ := waiting(t)
	result := make(chan error, 1)
	go func() { result <- wait(t.Context(), s.Path()) }()
	receiveFrom(t, "start", started)
	s.Close()
	if err := receiveFrom(t, "result", result); err == nil || err.Error() != "asked to end" {
		t.Errorf("Call = %v, want the words of the agent", err)
	}
	if err := wait(t.Context(), s.Path()); !errors.Is(err, ErrNoAgent) {
		t.Errorf("Call after Close = %v, want ErrNoAgent", err)
	}
	if _, err := os.Lstat(s.Path()); err == nil {
		t.Error("the socket is still there")
	}
}

func TestACloseThatComesLateLeavesTheSocketOfTheNext(t *testing.T) {
	s := serve(t, echo)
	if err := os.Remove(s.Path()); err != nil {
		t.Fatal(err)
	}
	next, err := Serve(s.Path(), http.HandlerFunc(echo), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	s.Close()
	if _, err := ask(t, next.Path(), "k"); err != nil {
		t.Errorf("the next agent cannot be asked: %v", err)
	}
}

func TestOneClientTooManyIsRejectedWithThatReason(t *testing.T) {
	s, started, _ := waiting(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range maxRequests {
		go func() { _ = wait(ctx, s.Path()) }()
		receiveFrom(t, "start", started)
	}
	if _, err := ask(t, s.Path()); err == nil || !strings.Contains(err.Error(), "serves 32 commands already") {
		t.Errorf("one more: %v, want that reason", err)
	}
}

func TestTheSocketIsForItsUserAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	t.Setenv("XDG_RUNTIME_DIR", socketDir(t))
	path := Paths("", "lab", "a")[0]
	s, err := Serve(path, http.HandlerFunc(echo), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", name, info.Mode(), err, want)
		}
	}
}

func TestTheSocketOfALiveAgentIsLeftAlone(t *testing.T) {
	s := serve(t, echo)
	if _, err := Serve(s.Path(), http.HandlerFunc(echo), nil); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), s.Path()) {
		t.Errorf("Serve = %v, want ErrInUse and the path", err)
	}
	if _, err := ask(t, s.Path(), "k"); err != nil {
		t.Errorf("the first cannot be asked any longer: %v", err)
	}
}

func TestTheSocketOfADeadAgentIsReplaced(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	if _, err := ask(t, path); !errors.Is(err, ErrNoAgent) {
		t.Errorf("a dead one: %v, want ErrNoAgent", err)
	}
	s, err := Serve(path, http.HandlerFunc(echo), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestAPathThatCannotBeASocketIsRefused(t *testing.T) {
	dir := socketDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, strings.Repeat("x", maxPath))
	for path, want := range map[string]string{
		file:                     "is in the way of the admin socket",
		long:                     "at most 103 are possible",
		filepath.Join(file, "s"): "not a directory",
	} {
		if _, err := Serve(path, http.HandlerFunc(echo), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Serve = %v, want %q", err, want)
		}
	}
	if err := wait(t.Context(), long); err == nil || !strings.Contains(err.Error(), "at most 103") {
		t.Errorf("Call = %v, want the limit", err)
	}
}

func TestADirectoryThatIsALinkIsRefused(t *testing.T) {
	above, elsewhere := socketDir(t), socketDir(t)
	dir := filepath.Join(above, ownDir())
	if err := os.Symlink(elsewhere, dir); err != nil {
		t.Skip(err)
	}
	if _, err := Serve(filepath.Join(dir, "s"), http.HandlerFunc(echo), nil); err == nil || !strings.Contains(err.Error(), "would not be safe") {
		t.Errorf("Serve = %v, want it refused", err)
	}
}

func TestEveryNameHasAPathOfItsOwnThatFits(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	long := strings.Repeat("n", 255)
	seen := map[string]string{}
	for _, names := range [][2]string{
		{"lab", "a"}, {"lab-a", "b"}, {"lab", "a-b"}, {"l/a/b", "a"}, {"l_a_b", "a"}, {"lab", "../x"}, {"lab", "ä"}, {"lab", "ö"},
		{long, long}, {long, long + "x"}, {"lab@a", "b"}, {"lab", "a@b"},
	} {
		path, who := Paths("", names[0], names[1])[0], fmt.Sprint(names)
		if seen[path] != "" {
			t.Errorf("%s and %s both have %s", seen[path], who, path)
		}
		seen[path] = who
		if filepath.Dir(path) != "/run/user/1000/"+ownDir() || checkPath(path) != nil {
			t.Errorf("%s has the path %s", who, path)
		}
	}
}

func TestADataDirectoryIsTheOnlyPlace(t *testing.T) {
	if diff := cmp.Diff([]string{filepath.Join("data", "admin.sock")}, Paths("data", "lab", "a")); diff != "" {
		t.Error(diff)
	}
}

func TestAnAgentWithADataDirectoryIsFoundByItsNames(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", socketDir(t))
	t.Setenv("TMPDIR", socketDir(t))
	if got := Running(); len(got) != 0 {
		t.Errorf("Running = %v, want none", got)
	}
	s := serve(t, echo)
	remove, err := Publish(s.Path(), "lab", "a")
	if err != nil {
		t.Fatal(err)
	}
	own, err := Serve(Paths("", "lab", "b")[0], http.HandlerFunc(echo), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if _, err := Publish(s.Path(), "lab", "b"); !errors.Is(err, ErrInUse) {
		t.Errorf("Publish in place of another agent = %v, want ErrInUse", err)
	}
	got := Running()
	if len(got) != 2 || got[0].Name != "lab@a" || got[1].Name != "lab@b" || !got[0].IsNode("a") || got[0].IsNode("b") {
		t.Fatalf("Running = %v, want lab@a and lab@b", got)
	}
	if _, err := ask(t, got[0].Path, "k"); err != nil {
		t.Errorf("ask = %v", err)
	}
	again := serve(t, echo)
	removeAgain, err := Publish(again.Path(), "lab", "a") // after a restart elsewhere
	if err != nil {
		t.Fatal(err)
	}
	remove()
	if got := Running(); len(got) != 2 {
		t.Errorf("Running = %v: the end of the first agent took the link of the second one", got)
	}
	removeAgain()
	if got := Running(); len(got) != 1 {
		t.Errorf("Running = %v, want lab@b", got)
	}
}

func TestAnAgentIsFoundBesideTheSocketsOfManyDeadProcesses(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", socketDir(t))
	t.Setenv("TMPDIR", socketDir(t))
	own, err := Serve(Paths("", "z", "last")[0], http.HandlerFunc(echo), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	for i := range 300 {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: Paths("", "a", fmt.Sprint(i))[0], Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		_ = l.Close()
	}
	if got := Running(); len(got) != 1 || got[0].Name != "z@last" {
		t.Errorf("Running = %v, want z@last", got)
	}
}
