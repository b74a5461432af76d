package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// Handler answers one request. It may send any number of replies and must return soon after ctx is done: when the client closed the connection,
// the time that it gave is over, or the server closes. Its error is sent to the client.
type Handler func(ctx context.Context, r Request, reply func(v any) error) error

// Server answers clients from [Serve] to Close.
type Server struct {
	path     string
	made     fs.FileInfo // the socket
	listener *net.UnixListener
	handle   Handler
	life     context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	slots    chan struct{}
}

// Serve listens on a socket that only this user may open. A socket that a dead process left is replaced; that of a running one is
// ErrInUse.
func Serve(path string, h Handler) (*Server, error) {
	l, err := listenUnix(path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	made, err := os.Lstat(path)
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	life, cancel := context.WithCancel(context.Background())
	s := &Server{path: path, made: made, listener: l, handle: h, life: life, cancel: cancel, slots: make(chan struct{}, maxClients)}
	s.tasks.Go(s.acceptClients)
	return s, nil
}

// Path returns where the socket is.
func (s *Server) Path() string { return s.path }

// Close takes the socket away, ends all requests and waits for them; a client that reads nothing holds it up for a second.
func (s *Server) Close() {
	s.cancel()
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.made) {
		_ = os.Remove(s.path)
	}
	_ = s.listener.Close()
	s.tasks.Wait()
}

func (s *Server) acceptClients() {
	for {
		c, err := s.listener.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			select {
			case <-time.After(100 * time.Millisecond): // out of descriptors, most likely
			case <-s.life.Done():
				return
			}
			continue
		}
		select {
		case s.slots <- struct{}{}:
			s.tasks.Go(func() {
				defer func() { <-s.slots }()
				s.serveClient(c)
			})
		default:
			rejectClient(c)
		}
	}
}

// rejectClient reports to a client that there are too many. It does not wait: a line fits into the buffer of a new stream.
func rejectClient(c net.Conn) {
	_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_ = sendLine(c, line{End: true, Error: fmt.Sprintf("the agent serves %d commands already, which is all it can: end one of them", maxClients)})
	_ = c.Close()
}

// serveClient answers the one request of a client.
func (s *Server) serveClient(c *net.UnixConn) {
	ctx, cancel := context.WithCancel(s.life)
	defer cancel()
	defer context.AfterFunc(s.life, func() { _ = c.SetDeadline(time.Now().Add(closeTimeout)) })()
	var reader sync.WaitGroup
	defer reader.Wait()
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(readTimeout))
	r, err := readRequest(c)
	if err != nil {
		_ = s.writeLine(c, line{End: true, Error: err.Error()})
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	reader.Go(func() {
		_, _ = io.Copy(io.Discard, c) // until the client closes the connection
		cancel()
	})
	if r.Timeout > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, min(r.Timeout, maxTimeout))
		defer end()
	}
	last := line{End: true}
	if err := s.handleSafely(ctx, r, c); err != nil {
		last.Error = err.Error()
	}
	_ = s.writeLine(c, last)
}

// handleSafely makes an error of a panic: a command must not end the agent.
func (s *Server) handleSafely(ctx context.Context, r Request, c net.Conn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the agent panicked over this request: %v\n%s", p, debug.Stack())
		}
	}()
	return s.handle(ctx, r, func(v any) error {
		data, err := encode(v)
		if err != nil {
			return err
		}
		return s.writeLine(c, line{Data: data})
	})
}

// readRequest reads a request, to the end of its line.
func readRequest(c io.Reader) (Request, error) {
	var r Request
	limited := &io.LimitedReader{R: c, N: maxRequest}
	if err := json.NewDecoder(limited).Decode(&r); err != nil {
		if limited.N <= 0 {
			return r, fmt.Errorf("the request is larger than %d bytes", maxRequest)
		}
		return r, fmt.Errorf("the request is not a line of JSON: %w", err)
	}
	if r.Version != Version {
		return r, fmt.Errorf("the agent speaks version %d of the admin protocol, this command version %d: use the convoke that the agent is", Version, r.Version)
	}
	return r, nil
}

func (s *Server) writeLine(c net.Conn, l line) error {
	if s.life.Err() == nil {
		_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	return sendLine(c, l)
}

func sendLine(c io.Writer, l line) error {
	l.Version = Version
	b, err := encode(l)
	if err != nil {
		return err
	}
	_, err = c.Write(b)
	return err
}
