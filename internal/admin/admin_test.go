package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
func serve(t *testing.T, h Handler) *Server {
	t.Helper()
	s, err := Serve(filepath.Join(socketDir(t), "s"), h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// echo replies with the key and then the value, and fails if both are empty.
func echo(_ context.Context, r Request, reply func(any) error) error {
	if r.Key == "" && r.Value == "" {
		return errors.New("nothing to reply")
	}
	return errors.Join(reply(r.Key), reply(r.Value))
}

// ask collects an answer.
func ask(t *testing.T, path string, r Request) ([]Text, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []Text
	err := Call(ctx, path, r, func(data json.RawMessage) error {
		var one Text
		defer func() { got = append(got, one) }()
		return json.Unmarshal(data, &one)
	})
	return got, err
}

func TestAnyBytesComeThrough(t *testing.T) {
	s := serve(t, echo)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, want := range []Text{"", "plain", "<&>\"\\\n\t", "\x00", "\xff", "\u2028", `{"base64":"AA=="}`, Text(every)} {
		got, err := ask(t, s.Path(), Request{Op: "echo", Key: "k", Value: want})
		if diff := cmp.Diff([]Text{"k", want}, got); diff != "" || err != nil {
			t.Errorf("%q: %v, (-want +got)\n%s", want, err, diff)
		}
	}
}

func TestTheLargestValuesFitWhateverTheyHold(t *testing.T) {
	s := serve(t, echo)
	for _, b := range []string{"a", `"`, "\x01", "\xff", "<", "\u2028"} {
		v := Text(strings.Repeat(b, 256<<10/len(b)))
		if got, err := ask(t, s.Path(), Request{Op: "echo", Key: "k", Value: v, Expect: &v}); err != nil || len(got) != 2 || got[1] != v {
			t.Errorf("256 KiB of %q: %v", b, err)
		}
	}
}

func TestAnErrorOfTheAgentKeepsItsWords(t *testing.T) {
	s := serve(t, echo)
	if _, err := ask(t, s.Path(), Request{}); err == nil || err.Error() != "nothing to reply" {
		t.Errorf("error = %v, want nothing to reply", err)
	}
}

func TestAPanicIsAnErrorAndTheServerLives(t *testing.T) {
	s := serve(t, func(_ context.Context, r Request, reply func(any) error) error {
		if r.Op == "panic" {
			panic("boom")
		}
		return reply("fine")
	})
	if _, err := ask(t, s.Path(), Request{Op: "panic"}); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("error = %v, want boom", err)
	}
	if got, err := ask(t, s.Path(), Request{}); err != nil || len(got) != 1 {
		t.Errorf("after the panic: %v, %v", got, err)
	}
}

func TestWhatIsNoRequestIsRefused(t *testing.T) {
	s := serve(t, echo)
	for _, c := range []struct{ name, sent, want string }{
		{"junk", "GET / HTTP/1.1\r\n", "not a line of JSON"},
		{"another version", `{"v":2,"op":"x"}` + "\n", "speaks version 1 of the admin protocol, this command version 2"},
		{"no version", "{}\n", "this command version 0"},
		{"too large", `{"v":1,"op":"` + strings.Repeat("x", maxRequest) + `"}` + "\n", "larger than 2097152 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("unix", s.Path())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			_, _ = conn.Write([]byte(c.sent)) // it may hang up before the end
			got, err := bufio.NewReader(conn).ReadString('\n')
			if !strings.Contains(got, c.want) {
				t.Errorf("answer = %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// waiting serves requests that last until they are ended, and reports each start and end.
func waiting(t *testing.T) (s *Server, started, ended chan struct{}) {
	t.Helper()
	started, ended = make(chan struct{}, 2*maxClients), make(chan struct{}, 2*maxClients)
	return serve(t, func(ctx context.Context, _ Request, reply func(any) error) error {
		started <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return errors.New("asked to end")
	}), started, ended
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
	go func() { result <- Call(ctx, s.Path(), Request{}, nil) }()
	receiveFrom(t, "start", started)
	cancel()
	receiveFrom(t, "end", ended)
	if err := receiveFrom(t, "result", result); !errors.Is(err, context.Canceled) {
		t.Errorf("Call = %v, want context.Canceled", err)
	}
}

func TestARequestEndsAfterItsTimeout(t *testing.T) {
	s, _, _ := waiting(t)
	if _, err := ask(t, s.Path(), Request{Timeout: time.Millisecond}); err == nil || err.Error() != "asked to end" {
		t.Errorf("Call = %v, want the words of the agent", err)
	}
}

func TestCloseEndsAllRequestsAndTakesTheSocketAway(t *testing.T) {
	s, started, _ := waiting(t)
	result := make(chan error, 1)
	go func() { result <- Call(t.Context(), s.Path(), Request{}, nil) }()
	receiveFrom(t, "start", started)
	s.Close()
	if err := receiveFrom(t, "result", result); err == nil || err.Error() != "asked to end" {
		t.Errorf("Call = %v, want the words of the agent", err)
	}
	if err := Call(t.Context(), s.Path(), Request{}, nil); !errors.Is(err, ErrNoAgent) {
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
	next, err := Serve(s.Path(), echo)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	s.Close()
	if _, err := ask(t, next.Path(), Request{Key: "k"}); err != nil {
		t.Errorf("the next agent cannot be asked: %v", err)
	}
}

func TestOneClientTooManyIsRejectedWithThatReason(t *testing.T) {
	s, started, _ := waiting(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range maxClients {
		go func() { _ = Call(ctx, s.Path(), Request{}, nil) }()
		receiveFrom(t, "start", started)
	}
	if _, err := ask(t, s.Path(), Request{}); err == nil || !strings.Contains(err.Error(), "serves 32 commands already") {
		t.Errorf("one more: %v, want that reason", err)
	}
}

func TestTheSocketIsForItsUserAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	t.Setenv("XDG_RUNTIME_DIR", socketDir(t))
	path := Paths("", "lab", "a")[0]
	s, err := Serve(path, echo)
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
	if _, err := Serve(s.Path(), echo); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), s.Path()) {
		t.Errorf("Serve = %v, want ErrInUse and the path", err)
	}
	if _, err := ask(t, s.Path(), Request{Key: "k"}); err != nil {
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
	if _, err := ask(t, path, Request{}); !errors.Is(err, ErrNoAgent) {
		t.Errorf("a dead one: %v, want ErrNoAgent", err)
	}
	s, err := Serve(path, echo)
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
		if _, err := Serve(path, echo); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Serve = %v, want %q", err, want)
		}
	}
	if err := Call(t.Context(), long, Request{}, nil); err == nil || !strings.Contains(err.Error(), "at most 103") {
		t.Errorf("Call = %v, want the limit", err)
	}
}

func TestADirectoryThatIsALinkIsRefused(t *testing.T) {
	above, elsewhere := socketDir(t), socketDir(t)
	dir := filepath.Join(above, ownDir())
	if err := os.Symlink(elsewhere, dir); err != nil {
		t.Skip(err)
	}
	if _, err := Serve(filepath.Join(dir, "s"), echo); err == nil || !strings.Contains(err.Error(), "would not be safe") {
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

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"v":1,"op":"shared set","key":"k","value":{"base64":"AA=="},"expect":null,"ttl":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readRequest(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		again, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := readRequest(strings.NewReader(string(again))); err != nil || cmp.Diff(r, same) != "" {
			t.Errorf("%s read again: %v\n%s", again, err, cmp.Diff(r, same))
		}
	})
}
