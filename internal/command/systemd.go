package command

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/internal/safetext"
)

const (
	statusInterval = time.Second // at least, between two of STATUS
	maxStatusText  = 1024        // bytes of STATUS
)

// systemd reports the state of a node to the service manager that started the process, by the protocol of sd_notify(3): READY when the
// node runs, whether or not its cluster is formed; STATUS, why its topologies are whole or what they lack; WATCHDOG while its loops turn;
// STOPPING when it leaves. RELOADING is not sent: the reload that a SIGHUP starts keeps the node in service.
type systemd struct {
	node     *agent.Node
	log      hclog.Logger
	send     func(state string) error
	watchdog time.Duration // the interval in which the manager expects WATCHDOG; 0: none

	ready  bool
	status string // last sent
}

// notifySystemd reports to the service manager until the node has ended, and ctx is done when it is to leave. Without a service manager it
// returns at once.
func notifySystemd(ctx context.Context, node *agent.Node, log hclog.Logger) {
	if sent, err := daemon.SdNotify(false, "STATUS=starting"); err != nil {
		log.Warn("cannot notify the service manager", "error", err)
		return
	} else if !sent {
		return
	}
	s := &systemd{node: node, log: log, send: func(state string) error {
		_, err := daemon.SdNotify(false, state)
		return err
	}}
	var err error
	if s.watchdog, err = daemon.SdWatchdogEnabled(false); err != nil {
		log.Warn("the watchdog of the service manager is not fed", "error", err)
	}
	var wg sync.WaitGroup
	wg.Go(s.feedWatchdog)
	wg.Go(func() { s.reportStates(ctx) })
	wg.Wait()
}

// feedWatchdog reports twice in each interval that the node lives, until it has ended.
func (s *systemd) feedWatchdog() {
	if s.watchdog <= 0 {
		return
	}
	tick := time.NewTicker(s.watchdog / 2)
	defer tick.Stop()
	for {
		if err := s.node.Live(); err == nil {
			s.notify(daemon.SdNotifyWatchdog)
		}
		select {
		case <-tick.C:
		case <-s.node.Done():
			return
		}
	}
}

// reportStates reports what changes until the node leaves or has ended, and then that.
func (s *systemd) reportStates(ctx context.Context) {
	defer s.notify(daemon.SdNotifyStopping + "\nSTATUS=leaving the cluster")
	pause := time.NewTimer(statusInterval)
	defer pause.Stop()
	for status := range s.node.Supervisor().Watch(ctx) {
		if ctx.Err() != nil {
			return
		}
		s.report(status)
		pause.Reset(statusInterval)
		select {
		case <-pause.C:
		case <-s.node.Done():
		case <-ctx.Done():
		}
	}
}

// report sends what is new in a snapshot.
func (s *systemd) report(status cluster.Status) {
	var states []string
	if !s.ready && runs(status) {
		s.ready = true
		states = append(states, daemon.SdNotifyReady)
	}
	if text := statusText(status); text != s.status {
		s.status = text
		states = append(states, "STATUS="+text)
	}
	if len(states) > 0 {
		s.notify(strings.Join(states, "\n"))
	}
}

func (s *systemd) notify(state string) {
	if err := s.send(state); err != nil {
		s.log.Debug("cannot notify the service manager", "error", err)
	}
}

// runs reports whether all connectors list their peers.
func runs(status cluster.Status) bool {
	for _, c := range status.Connectors {
		if !c.Listed || c.Err != nil {
			return false
		}
	}
	return len(status.Connectors) > 0
}

// statusText returns why the topologies are whole or what they lack, on one line: each line of a message is a variable of its own, and
// parts of the text come from others.
func statusText(status cluster.Status) string {
	var parts []string
	for _, c := range status.Connectors {
		if c.Err != nil {
			parts = append(parts, c.Name+": "+c.Err.Error())
		}
	}
	for _, t := range status.Topologies {
		parts = append(parts, t.Name+": "+t.Why)
	}
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.Join(parts, "; "))
	return safetext.Clip(text, maxStatusText)
}
