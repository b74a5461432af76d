package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// server is a process of kubelab. It ends when its standard input does.
type server struct {
	process    *exec.Cmd
	stdin      io.Closer
	kubeconfig string
}

// start starts the API server and waits until it is ready.
func start(program, dir string) (*server, error) {
	if program == "" {
		return nil, errors.New("no API server: build one with integration/labs/build.sh and give -kubelab, or KUBELAB")
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := exec.Command(program, "-dir", dir, "-bind", "127.0.0.1", "-port", strconv.Itoa(port))
	p.Stderr = os.Stderr
	stdin, err := p.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	s := &server{process: p, stdin: stdin}
	limit := time.AfterFunc(within, func() { _ = p.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	limit.Stop()
	var ready struct{ Kubeconfig string }
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		return nil, fmt.Errorf("kubelab: %w", errors.Join(err, s.stop()))
	}
	s.kubeconfig = ready.Kubeconfig
	return s, nil
}

func (s *server) stop() error {
	limit := time.AfterFunc(within, func() { _ = s.process.Process.Kill() })
	defer limit.Stop()
	return errors.Join(s.stdin.Close(), s.process.Wait())
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
