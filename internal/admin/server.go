package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"

	"github.com/goconvoke/convoke/ops"
)

// Server serves requests from [Serve] to Close.
type Server struct {
	path     string
	made     fs.FileInfo // the socket
	listener *net.UnixListener
	server   *http.Server
	cancel   context.CancelFunc // of all requests
	task     sync.WaitGroup
}

// Serve serves a handler on a socket that only this user may open. A socket that a dead process left is replaced; that of a running one is
// ErrInUse. The context of a request ends when its client closes the connection, and when the server closes.
func Serve(path string, h http.Handler, log hclog.Logger) (*Server, error) {
	l, err := Listen(path, 0o600)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	made, err := os.Lstat(path)
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if log == nil {
		log = hclog.NewNullLogger()
	}
	life, cancel := context.WithCancel(context.Background())
	s := &Server{path: path, made: made, listener: l, cancel: cancel, server: &http.Server{
		Handler: limitRequests(h), ReadHeaderTimeout: headerLimit, IdleTimeout: idleLimit, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return life },
		ErrorLog:    log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}}
	s.task.Go(func() { _ = s.server.Serve(netutil.LimitListener(l, maxConns)) }) // Close ends it
	return s, nil
}

// Path returns where the socket is.
func (s *Server) Path() string { return s.path }

// Close takes the socket away, ends all requests and waits for them; one that does not end within a second loses its connection.
func (s *Server) Close() {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.made) {
		_ = os.Remove(s.path)
	}
	s.cancel()
	late, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.server.Shutdown(late); errors.Is(err, context.DeadlineExceeded) {
		_ = s.server.Close()
	}
	s.task.Wait()
}

// limitRequests refuses requests beyond those that are served at the same time.
func limitRequests(h http.Handler) http.Handler {
	slots := make(chan struct{}, maxRequests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			h.ServeHTTP(w, r)
		default:
			ops.WriteProblem(w, ops.WithStatus(http.StatusServiceUnavailable,
				fmt.Errorf("the agent serves %d commands already, which is all it can: end one of them", maxRequests)))
		}
	})
}
