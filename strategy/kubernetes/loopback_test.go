package kubernetes

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/kubernetestest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// TestOverTheNetwork is the ordinary way, TCP and TLS and HTTP/2 of the system: all other tests run over pipes.
func TestOverTheNetwork(t *testing.T) {
	s := kubernetestest.New(t, nil)
	put := func(ip string) {
		s.Put(kubernetestest.Slices, "shop", "s", kubernetestest.Slice("orders", 7946, kubernetestest.Endpoint("a", ip)))
	}
	put("10.0.0.1")
	configured, err := configure(t, fmt.Sprintf("{service: orders, api: '%s', service_account: '%s'}", s.URL(), s.ServiceAccount("shop")))
	if err != nil {
		t.Fatal(err)
	}
	st, err := configured.New(strategy.Env{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	sink, done := new(strategytest.Sink), make(chan error, 1)
	go func() { done <- st.Run(running, sink) }()
	for i, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		if i > 0 {
			put(ip)
		}
		calls, err := sink.WaitFor(ctx, func(calls []strategytest.Call) bool {
			return len(calls) > 0 && calls[len(calls)-1].String() == "Set("+ip+":7946)"
		})
		if err != nil {
			t.Fatalf("%v: received %v, want Set(%s:7946)", err, calls, ip)
		}
	}
	stop()
	if err := <-done; err != context.Canceled {
		t.Errorf("Run returned %v, want the error of its context", err)
	}
}
