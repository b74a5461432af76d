package agent

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/ops"
)

const (
	maxWebConns  = 64              // at the same time; more wait to be accepted
	webHeadLimit = 5 * time.Second // for the head of a request to arrive
	webIdleLimit = time.Minute
	webStopLimit = time.Second // for requests that are under way at the end
	maxWebHead   = 16 << 10    // bytes
	webSocket    = 0o660       // a unix socket is for this user and its group
)

// webServer serves the API of a node on the address of the section http.
type webServer struct {
	config  cluster.HTTP
	log     hclog.Logger
	token   *tokenFile    // nil without one
	pair    *certificates // nil without TLS
	cancel  context.CancelFunc
	task    sync.WaitGroup
	listens chan struct{} // closed when addr is set

	mu   sync.Mutex
	addr string // "" until it listens
}

func newWebServer(c cluster.HTTP, log hclog.Logger) (*webServer, error) {
	w := &webServer{config: c, log: log, listens: make(chan struct{})}
	var err error
	if c.TokenFile != "" {
		if w.token, err = newTokenFile(c.TokenFile, log); err != nil {
			return nil, err
		}
	}
	if c.TLS.Cert != "" {
		w.pair, err = newCertificates(c.TLS, log)
	}
	return w, err
}

// HTTP returns the host:port on which the section http of the file is served, or unix: with the path of its socket; "" without the section
// and until it could be listened on.
func (n *Node) HTTP() string {
	if n.web == nil {
		return ""
	}
	n.web.mu.Lock()
	defer n.web.mu.Unlock()
	return n.web.addr
}

// awaitListening returns true as soon as the server listens, false when ctx ends before.
func (w *webServer) awaitListening(ctx context.Context) bool {
	select {
	case <-w.listens:
		return true
	case <-ctx.Done():
		return false
	}
}

// start serves until stop. A port that is taken is logged once and tried again, as that of the node.
func (w *webServer) start(api *ops.API) {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	handler := api.Handler(w.grant)
	if _, unix := w.config.Unix(); !unix { // no name leads a browser there
		handler = ops.CheckHost(w.config.Names, handler)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: webHeadLimit, IdleTimeout: webIdleLimit, MaxHeaderBytes: maxWebHead,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    w.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	if w.pair != nil {
		server.TLSConfig = w.pair.config()
	}
	w.task.Go(func() {
		if listener := w.listen(ctx); listener != nil {
			w.serve(ctx, server, netutil.LimitListener(listener, maxWebConns))
		}
	})
}

// serve serves until ctx ends, and then ends what is under way.
func (w *webServer) serve(ctx context.Context, server *http.Server, l net.Listener) {
	var end sync.WaitGroup
	defer end.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end.Go(func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.Background(), webStopLimit)
		defer cancel()
		if server.Shutdown(late) != nil {
			_ = server.Close()
		}
	})
	var err error
	if server.TLSConfig != nil {
		err = server.ServeTLS(l, "", "")
	} else {
		err = server.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		w.log.Error("no longer serving", "error", err)
	}
}

func (w *webServer) stop() {
	w.cancel()
	w.task.Wait()
	if path, unix := w.config.Unix(); unix {
		_ = os.Remove(path) // it may be gone
	}
}

// listen takes the port, or makes the socket. It returns nil if ctx ends before.
func (w *webServer) listen(ctx context.Context) net.Listener {
	for failures := 1; ; failures++ {
		l, addr, err := w.listenOnce(ctx)
		if err == nil {
			w.log.Info("serving", "addr", addr)
			w.mu.Lock()
			w.addr = addr
			w.mu.Unlock()
			close(w.listens)
			return l
		}
		if failures == 1 && ctx.Err() == nil {
			w.log.Warn("cannot listen, trying again", "addr", w.config.Listen, "error", err)
		}
		if backoff.Sleep(ctx, backoff.Jitter(nil, backoff.Doubling(firstOpenWait, longestOpenWait, failures), 0.2)) != nil {
			return nil
		}
	}
}

func (w *webServer) listenOnce(ctx context.Context) (l net.Listener, addr string, err error) {
	if path, unix := w.config.Unix(); unix {
		l, err = admin.Listen(path, webSocket)
		return l, w.config.Listen, err
	}
	var config net.ListenConfig
	if l, err = config.Listen(ctx, "tcp", w.config.Listen); err != nil {
		return nil, "", err
	}
	return l, l.Addr().String(), nil
}
