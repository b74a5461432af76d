package quorumlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
)

// hub is the side of the test process: it takes events into the ledger and passes requests on. The nodes reach it by a Unix socket, which
// works in every network namespace.
type hub struct {
	listener net.Listener
	ledger   *Ledger
	wg       sync.WaitGroup

	mu      sync.Mutex
	nodes   map[string]*link
	arrived chan struct{} // closed and replaced when a node has arrived
}

// link is the connection of one process.
type link struct {
	conn net.Conn

	mu      sync.Mutex
	lastID  uint64
	waiting map[uint64]chan event // nil after the end
}

func newHub(socket string, ledger *Ledger) (*hub, error) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	h := &hub{listener: listener, ledger: ledger, nodes: map[string]*link{}, arrived: make(chan struct{})}
	h.wg.Go(h.accept)
	return h, nil
}

// close ends all connections.
func (h *hub) close() {
	_ = h.listener.Close()
	h.mu.Lock()
	for _, l := range h.nodes {
		_ = l.conn.Close()
	}
	h.mu.Unlock()
	h.wg.Wait()
}

func (h *hub) accept() {
	for {
		conn, err := h.listener.Accept()
		if err != nil {
			return
		}
		h.wg.Go(func() { h.read(conn) })
	}
}

// read takes the events of one process until it ends.
func (h *hub) read(conn net.Conn) {
	defer conn.Close()
	from := json.NewDecoder(conn)
	var hello event
	var name string
	if from.Decode(&hello) != nil || json.Unmarshal(hello.Reply, &name) != nil {
		return
	}
	l := &link{conn: conn, waiting: map[uint64]chan event{}}
	h.mu.Lock()
	h.nodes[name] = l
	close(h.arrived)
	h.arrived = make(chan struct{})
	h.mu.Unlock()
	calls := map[string]Call{} // that have begun and not ended, by client
	for {
		var e event
		if from.Decode(&e) != nil {
			break
		}
		switch e.Kind {
		case "reply":
			l.reply(e)
			continue
		case "called":
			calls[e.Call.History+e.Call.Client] = *e.Call
		case "call":
			delete(calls, e.Call.History+e.Call.Client)
		}
		h.ledger.add(name, e)
	}
	for _, c := range calls { // the process has ended before they have
		c.End, c.OutcomeUnknown = Now(), true
		h.ledger.add(name, event{Kind: "call", Call: &c})
	}
	h.ledger.ended(name)
	l.end()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.nodes[name] == l {
		delete(h.nodes, name)
	}
}

// ask passes a request to a node, waiting for it to start, and decodes its answer into out.
func (h *hub) ask(ctx context.Context, name string, r request, out any) error {
	l, err := h.link(ctx, name)
	if err != nil {
		return err
	}
	e, err := l.ask(ctx, r)
	if err == nil && e.Error != "" {
		err = errors.New(e.Error)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(e.Reply, out)
	}
	if err != nil {
		return fmt.Errorf("%s at %s: %w", strings.TrimSpace(r.Do+" "+r.Key), name, err)
	}
	return nil
}

func (h *hub) link(ctx context.Context, name string) (*link, error) {
	for {
		h.mu.Lock()
		l, arrived := h.nodes[name], h.arrived
		h.mu.Unlock()
		if l != nil {
			return l, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s does not run: %w", name, ctx.Err())
		}
	}
}

func (l *link) ask(ctx context.Context, r request) (event, error) {
	answer := make(chan event, 1)
	l.mu.Lock()
	if l.waiting == nil {
		l.mu.Unlock()
		return event{}, ErrEnded
	}
	l.lastID++
	r.ID = l.lastID
	l.waiting[r.ID] = answer
	err := json.NewEncoder(l.conn).Encode(r)
	l.mu.Unlock()
	if err != nil {
		return event{}, fmt.Errorf("%w: %w", ErrEnded, err)
	}
	select {
	case e, ok := <-answer:
		if !ok {
			return e, ErrEnded
		}
		return e, nil
	case <-ctx.Done():
		return event{}, ctx.Err()
	}
}

// ErrEnded is returned for a request whose process ends before it answers.
var ErrEnded = errors.New("the process has ended")

func (l *link) reply(e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if answer := l.waiting[e.ID]; answer != nil {
		answer <- e
		delete(l.waiting, e.ID)
	}
}

func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, answer := range l.waiting {
		close(answer)
	}
	l.waiting = nil
}
