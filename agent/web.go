package agent

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/ops"
)

const (
	maxWebConns   = 64              // at the same time; more wait to be accepted
	webReadLimit  = 5 * time.Second // for a request to arrive
	webWriteLimit = 10 * time.Second
	webIdleLimit  = time.Minute
	webStopLimit  = time.Second // for requests that are under way at the end
)

// webServer serves the handler of a node on the address of the section http.
type webServer struct {
	config cluster.HTTP
	log    hclog.Logger
	cancel context.CancelFunc
	task   sync.WaitGroup

	mu   sync.Mutex
	addr string // "" until it listens
}

func newWebServer(c cluster.HTTP, log hclog.Logger) *webServer {
	return &webServer{config: c, log: log}
}

// HTTP returns the host:port on which the section http of the file is served, "" without one and until the port could be taken.
func (n *Node) HTTP() string {
	if n.web == nil {
		return ""
	}
	n.web.mu.Lock()
	defer n.web.mu.Unlock()
	return n.web.addr
}

// start serves until stop. A port that is taken is logged once and tried again, as that of the node.
func (w *webServer) start(api *ops.API) {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	server := &http.Server{Handler: w.checkHost(api.Handler(ops.Always(ops.Read))), ReadTimeout: webReadLimit, WriteTimeout: webWriteLimit, IdleTimeout: webIdleLimit,
		MaxHeaderBytes: 16 << 10, ErrorLog: w.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})}
	w.task.Go(func() {
		listener := w.listen(ctx)
		if listener == nil {
			return
		}
		defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
		if err := server.Serve(netutil.LimitListener(listener, maxWebConns)); ctx.Err() == nil {
			w.log.Error("no longer serving", "error", err)
		}
		late, cancel := context.WithTimeout(context.Background(), webStopLimit)
		defer cancel()
		_ = server.Shutdown(late)
		_ = server.Close()
	})
}

func (w *webServer) stop() {
	w.cancel()
	w.task.Wait()
}

// listen takes the port. It returns nil if ctx ends before.
func (w *webServer) listen(ctx context.Context) net.Listener {
	for failures := 1; ; failures++ {
		var config net.ListenConfig
		l, err := config.Listen(ctx, "tcp", w.config.Listen)
		if err == nil {
			w.log.Info("serving", "addr", l.Addr())
			w.mu.Lock()
			w.addr = l.Addr().String()
			w.mu.Unlock()
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

// checkHost rejects requests for a name that is not this host's. A page of another site can make its own name point here, and then
// read whatever is answered under it; it cannot do that with an address.
func (w *webServer) checkHost(h http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if !w.isOwnHost(r.Host) {
			ops.WriteProblem(out, errHost)
			return
		}
		h.ServeHTTP(out, r)
	})
}

var errHost = ops.WithStatus(http.StatusMisdirectedRequest,
	errors.New("the request is for another host: use an IP address or localhost, or add the name to http.names"))

func (w *webServer) isOwnHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	return slices.ContainsFunc(w.config.Names, func(name string) bool { return strings.EqualFold(name, host) })
}
