// Package kube runs a real Kubernetes API server (the program kubelab) and a real CoreDNS (dnslab) for tests, and is the
// scheduler, the kubelet and the user of that cluster: it writes namespaces, Services, pods, their readiness and
// their end, service accounts and what these may do.
package kube

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/lab"
)

const (
	startTimeout = 3 * time.Minute  // kubelab gives up before, and reports why
	stopTimeout  = 20 * time.Second // from the end of its input to the end of the process
)

// Program returns the path of a program of the labs that an environment variable names: KUBELAB or DNSLAB. Without it the
// test is skipped, or fails with REQUIRE_LABS=1.
func Program(t testing.TB, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		lab.Missing(t, "%s is not set; make integration builds the program and sets it", variable)
	}
	return path
}

// Command makes the command of a program; [lab.Lab.Command] makes one in a host.
type Command func(ctx context.Context, program string, args ...string) *exec.Cmd

// Options of an API server.
type Options struct {
	Program string  // kubelab
	Dir     string  // of all its state
	Bind    string  // IP address; "" means 127.0.0.1
	Port    int     // 0 means a free one of this process's network
	Command Command // nil: here
	Dial    Dial    // how to reach it from here; nil: as usual
}

// Dial opens a connection; [lab.Lab.Dial] does so from a host.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// Server is an API server. Stopped or killed, it can be started again, and has the same data, port
// and tokens. Its methods are for one goroutine.
type Server struct {
	options Options
	client  *Client

	process *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
	stderr  *tail
	ended   chan struct{}
	cancel  context.CancelFunc
	Ready   Ready
}

// Ready is what kubelab prints when it is ready.
type Ready struct {
	URL        string `json:"url"`
	CA         string `json:"ca"` // file
	Token      string `json:"token"`
	Kubeconfig string `json:"kubeconfig"` // file
}

// New starts an API server and waits until it is ready.
func New(o Options) (*Server, error) {
	if o.Bind == "" {
		o.Bind = "127.0.0.1"
	}
	if o.Command == nil {
		o.Command = exec.CommandContext
	}
	if o.Port == 0 {
		l, err := net.Listen("tcp", net.JoinHostPort(o.Bind, "0"))
		if err != nil {
			return nil, err
		}
		o.Port = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	s := &Server{options: o, stderr: &tail{max: 16 << 10}}
	if err := s.Start(); err != nil {
		return nil, err
	}
	return s, nil
}

// Run starts an API server for a test; it ends with the test.
func Run(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Program = Program(t, "KUBELAB"); o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("kubelab: %v", err)
		}
	})
	return s
}

// Addr returns host:port of the API.
func (s *Server) Addr() string { return net.JoinHostPort(s.options.Bind, strconv.Itoa(s.options.Port)) }

// Start starts the process and waits until the API server is ready.
func (s *Server) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.process = s.options.Command(ctx, s.options.Program, "-dir", s.options.Dir, "-bind", s.options.Bind, "-port", strconv.Itoa(s.options.Port))
	s.process.Stderr = s.stderr
	var err error
	if s.stdin, err = s.process.StdinPipe(); err != nil {
		return err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	s.process.Stdout, s.stdout = in, bufio.NewReader(out)
	err = s.process.Start()
	in.Close()
	if err != nil {
		out.Close()
		return fmt.Errorf("start kubelab: %w", err)
	}
	s.ended = make(chan struct{})
	go func(process *exec.Cmd, ended chan struct{}) { // ends with the process
		defer close(ended)
		_ = process.Wait()
		cancel()
	}(s.process, s.ended)
	timer := time.AfterFunc(startTimeout, cancel)
	defer timer.Stop()
	if err := s.answer(&s.Ready); err != nil {
		_ = s.Stop()
		return fmt.Errorf("start kubelab: %w; its output:\n%s", err, s.stderr)
	}
	s.client, err = newClient(s.Ready, s.options.Dial)
	return err
}

// answer reads a line of the process.
func (s *Server) answer(to any) error {
	line, err := s.stdout.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, to)
}

// Stop ends the process in order.
func (s *Server) Stop() error {
	s.stdin.Close()
	timer := time.AfterFunc(stopTimeout, s.cancel)
	defer timer.Stop()
	<-s.ended
	if state := s.process.ProcessState; state != nil && !state.Success() && state.ExitCode() >= 0 {
		return fmt.Errorf("%v; its output:\n%s", state, s.stderr)
	}
	return nil
}

// Kill ends the process at once.
func (s *Server) Kill() {
	s.cancel()
	<-s.ended
	s.stdin.Close()
}

// Compact makes the server forget all older versions of all objects. The API server itself keeps the newest in memory
// until it is started again.
func (s *Server) Compact() error {
	if _, err := io.WriteString(s.stdin, "compact\n"); err != nil {
		return err
	}
	var done struct{ Compacted int64 }
	if err := s.answer(&done); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	if done.Compacted == 0 {
		return errors.New("compact: no revision")
	}
	return nil
}

// Client returns the client of an administrator.
func (s *Server) Client() *Client { return s.client }
