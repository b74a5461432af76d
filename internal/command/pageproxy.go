package command

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/ops"
)

const (
	proxyHeadLimit = 5 * time.Second // for the head of a request to arrive
	proxyIdleLimit = time.Minute
	proxyStopLimit = time.Second // for requests that are under way at the end
	maxProxyHead   = 16 << 10    // bytes
)

// pageProxy serves the page of an agent from its admin socket, and nothing else of it.
type pageProxy struct {
	prefix string // of all paths: "/", a secret, "/"
	server http.Server
}

func newPageProxy(agent *admin.Client) *pageProxy {
	p := &pageProxy{prefix: "/" + rand.Text() + "/"}
	reverse := &httputil.ReverseProxy{
		Transport: agent.Transport(), FlushInterval: -1, // events go on at once
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", "localhost", "localhost"
			kept := http.Header{}
			for _, name := range []string{"Accept", "Last-Event-Id"} {
				if value := r.In.Header.Get(name); value != "" {
					kept.Set(name, value)
				}
			}
			r.Out.Header = kept
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			ops.WriteProblem(w, ops.WithStatus(http.StatusBadGateway, fmt.Errorf("the agent cannot be asked: %w", err)))
		},
		ErrorLog: log.New(io.Discard, "", 0), // a browser that goes away is not an error
	}
	p.server = http.Server{
		Handler:           ops.CheckHost(nil, http.StripPrefix(strings.TrimSuffix(p.prefix, "/"), onlyPage(reverse))),
		ReadHeaderTimeout: proxyHeadLimit, IdleTimeout: proxyIdleLimit, MaxHeaderBytes: maxProxyHead, ErrorLog: log.New(io.Discard, "", 0),
	}
	return p
}

// onlyPage passes on what the page asks for. No value of a key is among it, and nothing that changes anything.
func onlyPage(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path != "/" && path != "/api/v1/status" && path != "/api/v1/events" && !strings.HasPrefix(path, "/ui/"):
			ops.WriteProblem(w, ops.WithStatus(http.StatusNotFound, errors.New("only the page is here: the address that convoke ui has printed")))
		case r.Method != http.MethodGet && r.Method != http.MethodHead || r.ContentLength != 0:
			ops.WriteProblem(w, ops.WithStatus(http.StatusMethodNotAllowed, errors.New("nothing can be changed here: use the other commands")))
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// serve serves until ctx ends, which is not an error. It calls ready as soon as requests are accepted.
func (p *pageProxy) serve(ctx context.Context, l net.Listener, ready func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.server.BaseContext = func(net.Listener) context.Context { return ctx }
	var task sync.WaitGroup
	failed := make(chan error, 1)
	task.Go(func() { failed <- p.server.Serve(l) })
	defer task.Wait()
	defer p.stop()
	if err := ready(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("no longer serving: %w", err)
	}
}

// stop ends what is under way.
func (p *pageProxy) stop() {
	late, cancel := context.WithTimeout(context.Background(), proxyStopLimit)
	defer cancel()
	if p.server.Shutdown(late) != nil {
		_ = p.server.Close()
	}
}
