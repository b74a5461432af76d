package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// stopLimit is how long the nodes may take to leave.
const stopLimit = 20 * time.Second

// processes are nodes in processes of their own.
type processes struct {
	running map[string]*process
	gone    chan string // names of those that ended by themselves; holds one for each
	once    sync.Once
	err     error // of end
}

// process is one node. It ends when life is closed, so also when this process dies.
type process struct {
	cmd  *exec.Cmd
	life io.Closer
	done chan struct{} // closed when it has ended
	err  error         // how; read after done
}

// startProcesses starts nodes of these names on free ports. The result has to be ended, after an error too.
func startProcesses(names []string, records string) (*processes, error) {
	p := &processes{running: make(map[string]*process), gone: make(chan string, len(names))}
	ports, err := freePorts(2 * len(names))
	if err != nil {
		return p, err
	}
	var seeds []string
	for i := range names {
		seeds = append(seeds, "127.0.0.1:"+ports[i])
	}
	for i, name := range names {
		env := append(os.Environ(), endWithInput+"=1", "HOSTNAME="+name, "HOST=127.0.0.1", "PORT="+ports[i], "MONITORING_PORT="+ports[len(names)+i],
			"SEED_NODES="+strings.Join(seeds, ","), fmt.Sprintf("NUM_PARTITIONS=%d", partitions), "HEART_BEAT_FREQUENCY=1000",
			"LOG_LEVEL="+cmp.Or(os.Getenv("LOG_LEVEL"), "error")) // what the demonstration provokes is a warning
		if err := p.start(name, records, env); err != nil {
			return p, err
		}
	}
	return p, nil
}

// freePorts returns ports of loopback that are free now.
func freePorts(n int) (ports []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String()) // of the form that it is for
		ports = append(ports, port)
	}
	return ports, nil
}

// start runs this program again as a node.
func (p *processes) start(name, records string, env []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	one := &process{cmd: exec.Command(self, "-node", "-store", records), done: make(chan struct{})}
	one.cmd.Env, one.cmd.Stderr = env, os.Stderr
	if one.life, err = one.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := one.cmd.Start(); err != nil {
		return fmt.Errorf("start node %s: %w", name, err)
	}
	p.running[name] = one
	go func() { // end and kill wait for it
		one.err = one.cmd.Wait()
		close(one.done)
		p.gone <- name
	}()
	return nil
}

// kill ends a node as a crash would, and waits for its end.
func (p *processes) kill(name string) error {
	one := p.running[name]
	delete(p.running, name)
	if err := one.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill node %s: %w", name, err)
	}
	<-one.done
	<-p.gone
	return nil
}

// end has every node leave, kills those that do not in time, and waits for all.
func (p *processes) end() error {
	p.once.Do(func() {
		late := time.AfterFunc(stopLimit, func() {
			for _, one := range p.running {
				_ = one.cmd.Process.Kill()
			}
		})
		defer late.Stop()
		for _, one := range p.running {
			_ = one.life.Close()
		}
		for name, one := range p.running {
			if <-one.done; one.err != nil {
				p.err = errors.Join(p.err, fmt.Errorf("node %s: %w", name, one.err))
			}
		}
	})
	return p.err
}
