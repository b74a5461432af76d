//go:build unix

package command

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goconvoke/convoke/cluster"
)

// manager is the end of a service manager: the socket that NOTIFY_SOCKET names.
type manager struct {
	t      *testing.T
	socket *net.UnixConn
}

// newManager makes a socket, and the environment for a process that is to find it.
func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "cvk") // short: a socket's path has 103 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "200000")
	return &manager{t, socket}
}

// await returns the states before the first message that holds a wanted variable, and that message.
func (m *manager) await(wanted string) (before []string, message string) {
	m.t.Helper()
	if err := m.socket.SetReadDeadline(time.Now().Add(deadline)); err != nil {
		m.t.Fatal(err)
	}
	for buf := make([]byte, 4<<10); ; {
		n, err := m.socket.Read(buf)
		if err != nil {
			m.t.Fatalf("no %s: %v; received before: %q", wanted, err, before)
		}
		if message = string(buf[:n]); strings.Contains(message, wanted) {
			return before, message
		}
		before = append(before, message)
	}
}

const answered = "STATUS=here: local answered"

func isAnswered(message string) bool { return strings.Contains(message, answered) }

func TestServiceManagerIsNotifiedOfTheLifeOfANode(t *testing.T) {
	m := newManager(t)
	p := startAgent(t, "-c", localFile(t), "--node", "a")
	p.await("line of one node", func(l string) bool { return strings.HasSuffix(l, "1 node: a  (+a)") })
	// The node runs and the source has answered; which of the two comes first is not settled.
	if before, message := m.await("READY=1"); !slices.ContainsFunc(append(before, message), isAnswered) {
		m.await(answered)
	}
	m.await("WATCHDOG=1")
	m.await("WATCHDOG=1")
	p.signal(syscall.SIGTERM)
	m.await("STOPPING=1")
	if code := p.awaitExit(); code != exitOK {
		t.Errorf("exit code = %d, want 0; the log:\n%s", code, p.stderr)
	}
}

func TestServiceManagerLearnsWhyANodeIsNotReady(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := newManager(t)
	p := startAgent(t, "-c", localFile(t), "--node", "a", "--listen", taken.Addr().String(), "-o", "json")
	p.awaitEvent("members", "a")
	before, _ := m.await("address already in use")
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	after, message := m.await("READY=1")
	for _, state := range append(before, after...) {
		if strings.Contains(state, "READY=1") {
			t.Errorf("message %q came before the node could listen", state)
		}
	}
	if strings.Contains(message, "address already in use") {
		t.Errorf("message %q of a node that runs has the reason why it did not", message)
	}
}

func TestStatusTextIsOneLineWhateverOthersSend(t *testing.T) {
	got := statusText(cluster.Status{Topologies: []cluster.TopologyStatus{{Name: "here", Why: "refused:\nMAINPID=1\r\n\x00" + strings.Repeat("ä", 2000)}}})
	if strings.ContainsAny(got, "\n\r\x00") || len(got) > maxStatusText+len("…") || !strings.HasPrefix(got, "here: refused: MAINPID=1") {
		t.Errorf("statusText = %q, want one line of at most %d bytes", got, maxStatusText)
	}
}
