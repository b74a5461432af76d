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

// stage starts nodes as processes of their own, listens to what they report and ends them.
type stage struct {
	dir, file string
	began     time.Time

	running map[string]*actor // owned by the goroutine of the story
	heard   chan heard        // the actors block on it; end drains it
	sees    map[string][]string
	actors  sync.WaitGroup
	ended   chan struct{}
	once    sync.Once
}

// actor is one process. It ends when life is closed, so also when this process dies.
type actor struct {
	cmd  *exec.Cmd
	life io.Closer
	gone chan struct{} // closed when the process has ended and all its output is read
	err  error         // how it ended; read after gone
}

// heard is a report of one process, or its end.
type heard struct {
	from   *actor
	report report
	gone   bool
}

func newStage(dir, file string) *stage {
	return &stage{
		dir: dir, file: file, began: time.Now(),
		running: make(map[string]*actor),
		heard:   make(chan heard),
		sees:    make(map[string][]string),
		ended:   make(chan struct{}),
	}
}

// printLine prints a line of the timeline.
func (s *stage) printLine(format string, args ...any) {
	fmt.Printf("%6.2fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// start runs this program again as the node of that name.
func (s *stage) start(name string) error {
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
	a := &actor{cmd: cmd, life: life, gone: make(chan struct{})}
	s.running[name] = a
	s.actors.Go(func() { s.listen(a, out) })
	return nil
}

// listen passes on what a process reports until it has ended.
func (s *stage) listen(a *actor, out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var r report
		if json.Unmarshal(lines.Bytes(), &r) == nil {
			s.sendEvent(heard{from: a, report: r})
		}
	}
	a.err = a.cmd.Wait()
	close(a.gone)
	s.sendEvent(heard{from: a, gone: true})
}

func (s *stage) sendEvent(h heard) {
	select {
	case s.heard <- h:
	case <-s.ended:
	}
}

// await waits until each of the nodes sees exactly the members, and returns how long that took.
func (s *stage) await(ctx context.Context, nodes, members []string) (time.Duration, error) {
	began := time.Now()
	for !s.agree(nodes, members) {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s: %w", s.views(), context.Cause(ctx))
		case h := <-s.heard:
			if err := s.take(h); err != nil {
				return 0, err
			}
		}
	}
	return time.Since(began), nil
}

// take notes a report. The end of a process that should run is an error.
func (s *stage) take(h heard) error {
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

func (a *actor) ended() error {
	if a.err != nil {
		return a.err
	}
	return fmt.Errorf("without an error")
}

func (s *stage) agree(nodes, members []string) bool {
	for _, name := range nodes {
		if !slices.Equal(s.sees[name], members) {
			return false
		}
	}
	return true
}

// views returns which members each process sees, for an error.
func (s *stage) views() string {
	var parts []string
	for name := range s.running {
		parts = append(parts, fmt.Sprintf("%s sees [%s]", name, strings.Join(s.sees[name], " ")))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// kill ends a node as a crash would, and waits for its end.
func (s *stage) kill(name string) error {
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
		case h := <-s.heard:
			if err := s.take(h); err != nil {
				return err
			}
		}
	}
}

// end asks every process to leave, kills those that have not within 3 s, and waits for all.
func (s *stage) end() {
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
		s.actors.Wait()
	})
}
