package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// demo starts nodes as processes of their own, listens to what they report and ends them.
type demo struct {
	dir, file string
	began     time.Time

	running   map[string]*nodeProcess // owned by the goroutine of runScenario
	lines     chan outputLine         // the readers of output block on it; endAll drains it
	sees      map[string][]string
	processes sync.WaitGroup
	ended     chan struct{}
	once      sync.Once
}

// nodeProcess is one process. It ends when life is closed, so also when this process dies.
type nodeProcess struct {
	cmd  *exec.Cmd
	life io.Closer
	gone chan struct{} // closed when the process has ended and all its output is read
	err  error         // how it ended; read after gone
}

// outputLine is a report of one process, or its end.
type outputLine struct {
	from   *nodeProcess
	report report
	gone   bool
}

func newDemo(dir, file string) *demo {
	return &demo{
		dir: dir, file: file, began: time.Now(),
		running: make(map[string]*nodeProcess),
		lines:   make(chan outputLine),
		sees:    make(map[string][]string),
		ended:   make(chan struct{}),
	}
}

// printLine prints a line of the timeline.
func (s *demo) printLine(format string, args ...any) {
	fmt.Printf("%6.2fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// startNode runs this program again as the node of that name.
func (s *demo) startNode(name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), nodeEnv+"="+name, fileEnv+"="+s.file, "QUICKSTART_DIR="+s.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	life, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start node %s: %w", name, err)
	}
	a := &nodeProcess{cmd: cmd, life: life, gone: make(chan struct{})}
	s.running[name] = a
	s.processes.Go(func() { s.readOutput(a, out) })
	return nil
}

// readOutput passes on what a process reports until it has ended.
func (s *demo) readOutput(a *nodeProcess, out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var r report
		if json.Unmarshal(lines.Bytes(), &r) == nil {
			s.sendEvent(outputLine{from: a, report: r})
		}
	}
	a.err = a.cmd.Wait()
	close(a.gone)
	s.sendEvent(outputLine{from: a, gone: true})
}

func (s *demo) sendEvent(h outputLine) {
	select {
	case s.lines <- h:
	case <-s.ended:
	}
}

// awaitViews waits until each of the nodes sees exactly the members, and returns how long that took.
func (s *demo) awaitViews(ctx context.Context, nodes, members []string) (time.Duration, error) {
	began := time.Now()
	for !s.viewsAgree(nodes, members) {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s: %w", s.views(), context.Cause(ctx))
		case h := <-s.lines:
			if err := s.handleLine(h); err != nil {
				return 0, err
			}
		}
	}
	return time.Since(began), nil
}

// handleLine notes a report. The end of a process that should run is an error.
func (s *demo) handleLine(h outputLine) error {
	for name, a := range s.running {
		if a != h.from {
			continue
		}
		if h.gone {
			return fmt.Errorf("node %s ended by itself: %w", name, a.ended())
		}
		s.sees[name] = h.report.Sees
		s.printLine("%s sees %s", name, strings.Join(h.report.Sees, " "))
	}
	return nil
}

func (a *nodeProcess) ended() error {
	if a.err != nil {
		return a.err
	}
	return fmt.Errorf("without an error")
}

func (s *demo) viewsAgree(nodes, members []string) bool {
	for _, name := range nodes {
		if !slices.Equal(s.sees[name], members) {
			return false
		}
	}
	return true
}

// views returns which members each process sees, for an error.
func (s *demo) views() string {
	var parts []string
	for name := range s.running {
		parts = append(parts, fmt.Sprintf("%s sees [%s]", name, strings.Join(s.sees[name], " ")))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// killNode ends a node as a crash would, and waits for its end.
func (s *demo) killNode(name string) error {
	a := s.running[name]
	delete(s.running, name)
	delete(s.sees, name)
	if err := a.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill node %s: %w", name, err)
	}
	for {
		select {
		case <-a.gone:
			return nil
		case h := <-s.lines:
			if err := s.handleLine(h); err != nil {
				return err
			}
		}
	}
}

// endAll asks every process to leave, kills those that have not within 3 s, and waits for all.
func (s *demo) endAll() {
	s.once.Do(func() {
		close(s.ended)
		for _, a := range s.running {
			_ = a.life.Close()
		}
		limit := time.AfterFunc(3*time.Second, func() {
			for _, a := range s.running {
				_ = a.cmd.Process.Kill()
			}
		})
		defer limit.Stop()
		s.processes.Wait()
	})
}
