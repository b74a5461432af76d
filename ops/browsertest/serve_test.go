package browsertest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// serveAgain serves on an address that a server has just given up.
func serveAgain(t *testing.T, addr string, h http.Handler) *httptest.Server {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			server := httptest.NewUnstartedServer(h)
			_ = server.Listener.Close()
			server.Listener = l
			server.Start()
			return server
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
