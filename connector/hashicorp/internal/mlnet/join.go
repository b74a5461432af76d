package mlnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

const (
	leaveTimeout = 5 * time.Second  // when the ctx of Leave has no deadline
	maxLeave     = 10 * time.Second // even if it allows more
)

// Connect joins the cluster of a peer. A name is resolved here and those of its addresses that are
// no members yet are tried in order until one answers: behind a name that stands for many nodes
// may be the other half of a split. The error names each. It returns [connector.ErrSelf] when all
// of them are our own, and [connector.ErrForeign] with the name of the other cluster.
func (n *Node) Connect(ctx context.Context, p peer.Peer) error {
	target, err := peer.Addr(p.Addr)
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	s, err := n.current()
	if err != nil {
		return err
	}
	if err := s.beginCall(); err != nil {
		return err
	}
	defer s.calls.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()

	addrs, err := n.targetAddrs(ctx, target)
	if err != nil {
		return fmt.Errorf("join %s: %w", target, err)
	}
	return s.joinAny(ctx, target, addrs)
}

// targetAddrs returns the addresses behind a host:port.
func (n *Node) targetAddrs(ctx context.Context, hostport string) ([]netip.AddrPort, error) {
	host, text, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, err
	}
	ips, err := n.resolveHost(ctx, host)
	if err != nil {
		return nil, err
	}
	all := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		all[i] = netip.AddrPortFrom(ip, uint16(port))
	}
	return all, nil
}

// joinAny joins through the first new address that answers; finding ourselves does not count. If none
// does, one that is a member is enough.
func (s *session) joinAny(ctx context.Context, target string, addrs []netip.AddrPort) error {
	var errs []error
	member := false
	for _, addr := range addrs {
		if s.cluster.Has(addr) {
			member = true
			continue
		}
		err := s.joinOne(ctx, addr)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, connector.ErrSelf):
			continue
		case len(addrs) > 1:
			err = fmt.Errorf("%s: %w", addr, err)
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	switch {
	case member:
		return nil
	case len(errs) == 0:
		return fmt.Errorf("join %s: %w", target, connector.ErrSelf)
	}
	return fmt.Errorf("join %s: %w", target, errors.Join(errs...))
}

// joinOne joins through one address.
func (s *session) joinOne(ctx context.Context, addr netip.AddrPort) error {
	switch {
	case s.isSelf(addr):
		return connector.ErrSelf
	case ctx.Err() != nil:
		return ctx.Err()
	case addr.Addr().Zone() != "":
		return errors.New("memberlist cannot carry the zone of a link-local address")
	}
	return s.exchangeState(ctx, addr)
}

// exchangeState swaps the full state with the node at an address; that is what memberlist's Join does.
func (s *session) exchangeState(ctx context.Context, addr netip.AddrPort) error {
	// memberlist passes the name before the slash to the transport, and no other code sees it.
	// No member carries one like it: it is not printable.
	name := "\x00join-" + strconv.FormatUint(s.tries.Add(1), 10)
	try := &attempt{ctx: ctx, addr: addr}
	defer s.transport.registerAttempt(name, try)()
	err := s.cluster.Join(name + "/" + addr.String())
	if err == nil {
		return nil
	}
	return explainJoinError(ctx, try, err)
}

// endOf is the error of a context that has ended. A socket that got the deadline of the context may report it a moment before the
// context does.
func endOf(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// explainJoinError returns the error of a join with what happened and, where we know it, what to do.
func explainJoinError(ctx context.Context, try *attempt, err error) error {
	conn := try.conn
	switch {
	case conn != nil && conn.self.Load():
		return connector.ErrSelf
	case conn != nil && conn.foreign:
		return fmt.Errorf("it answered as cluster %s: %w", Quote(conn.label), connector.ErrForeign)
	case endOf(ctx) != nil:
		return endOf(ctx)
	case try.dialErr != nil:
		return try.dialErr
	case errors.Is(err, connector.ErrForeign):
		return err
	}
	text := oneLine(err)
	if hint := keyHint(text); hint != "" {
		return errors.New(hint)
	}
	if conn != nil && conn.lastErr != nil {
		return streamError(conn.lastErr)
	}
	return errors.New(text)
}

// streamError explains a stream that broke after it was opened.
func streamError(err error) error {
	var late net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("it closed the connection without an answer; it is not a memberlist node, or one of another cluster: %w", err)
	case errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("no answer within %v: %w", TCPTimeout, err)
	}
	return err
}

// keyHint recognises the errors of two nodes whose keys differ.
func keyHint(text string) string {
	switch {
	case strings.Contains(text, "no installed keys could decrypt"):
		return "it encrypts with another key: give all nodes of the cluster the same keys"
	case strings.Contains(text, "remote state is encrypted and encryption is not configured"):
		return "it encrypts and this node has no keys: give all nodes of the cluster the same keys"
	case strings.Contains(text, "encryption is configured but remote state is not encrypted"):
		return "it does not encrypt and this node does: give all nodes of the cluster the same keys"
	}
	return ""
}

// oneLine returns the text of the first error in what Join returns, cleaned and without the address.
func oneLine(err error) string {
	if many, ok := err.(interface{ WrappedErrors() []error }); ok {
		if all := many.WrappedErrors(); len(all) > 0 {
			err = all[0]
		}
	}
	text := cleanLine([]byte(err.Error()))
	if strings.HasPrefix(text, "failed to join ") {
		if _, rest, ok := strings.Cut(text, ": "); ok {
			text = rest
		}
	}
	return text
}

// Leave announces to the members that this node leaves on purpose, and returns when the announcement
// was sent or ctx is done. Until Run is called again the other methods return errors.
func (n *Node) Leave(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	n.mu.Lock()
	s := n.session
	n.mu.Unlock()
	if s == nil || !s.beginLeave() {
		return nil // there is nothing to leave
	}
	timeout := leaveTimeout
	if end, ok := ctx.Deadline(); ok {
		timeout = min(maxLeave, max(time.Millisecond, time.Until(end)))
	}
	done := make(chan error, 1)
	go func() { // awaited by session.close
		defer s.calls.Done()
		done <- s.cluster.Leave(timeout)
	}()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("leave: no member confirmed it within %v", timeout)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("leave: %w", ctx.Err())
	}
}
