package strategytest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// inventory is the configuration of a strategy that gets a list of addresses from a web server.
type inventory struct {
	URL string `yaml:"url"`

	strategy.PollConfig `yaml:",inline"`
}

// inventoryKind is the strategy under test.
var inventoryKind = strategy.Kind[inventory]{
	Name: "inventory", Doc: "a JSON list of host:port on a web server",
	Default: inventory{PollConfig: strategy.DefaultPoll()},
	New: func(c inventory, env strategy.Env) (strategy.Strategy, error) {
		transport := &http.Transport{DialContext: env.Dial, DisableKeepAlives: true}
		return strategy.Poll(func(ctx context.Context) ([]peer.Peer, error) {
			return c.ask(ctx, &http.Client{Transport: transport})
		}, c.PollConfig, env), nil
	},
}

func (c inventory) ask(ctx context.Context, client *http.Client) ([]peer.Peer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var addrs []string
	if err := json.NewDecoder(http.MaxBytesReader(nil, res.Body, 1<<20)).Decode(&addrs); err != nil {
		return nil, fmt.Errorf("list of %s: %w", c.URL, err)
	}
	var all []peer.Peer
	for _, a := range addrs {
		addr, err := peer.Addr(a)
		if err != nil {
			return nil, err
		}
		all = append(all, peer.Peer{Addr: addr})
	}
	return all, nil
}

// TestContractOfTheExample is what a test of a strategy of yours looks like.
func TestContractOfTheExample(t *testing.T) {
	strategytest.Run(t, strategytest.Subject{Kind: inventoryKind, Setup: inventorySource})
}

// inventorySource is a web server in memory, under the control of the rules.
func inventorySource(tb testing.TB) *strategytest.Source {
	var mu sync.Mutex
	var serve http.HandlerFunc
	set := func(h http.HandlerFunc) {
		mu.Lock()
		defer mu.Unlock()
		serve = h
	}
	l := strategytest.Listen("10.0.0.9:80")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := serve
		mu.Unlock()
		h(w, r)
	})}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(l) })
	tb.Cleanup(func() { _ = server.Close(); wg.Wait() })

	answer := func(all []peer.Peer) {
		addrs := strategytest.Addrs(all)
		set(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(addrs) })
	}
	answer(nil)
	return &strategytest.Source{
		Config: "url: http://10.0.0.9/list",
		Env:    strategy.Env{Dial: l.Dial},
		Answer: answer,
		Empty:  func() { answer(nil) },
		Break: func(error) {
			set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		},
		Hang:    func() { set(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) },
		Garbage: func() { set(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }) },
	}
}

// Run is called from a test; see TestContractOfTheExample in the source of this example for a whole one with a server in memory.
func ExampleRun() {
	_ = func(t *testing.T) {
		strategytest.Run(t, strategytest.Subject{Kind: inventoryKind, Setup: inventorySource})
	}
}

// A Sink records what a strategy reports and waits for it.
func ExampleSink() {
	sink := new(strategytest.Sink)
	s := strategy.Func(func(ctx context.Context, out strategy.Sink) error {
		out.Add([]peer.Peer{{Addr: "10.0.0.1:7946"}})
		out.Fail(errors.New("page 2 is missing"))
		out.Set([]peer.Peer{{Addr: "10.0.0.1:7946"}, {Addr: "10.0.0.2:7946"}})
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, sink) }()
	calls, err := sink.WaitFor(ctx, strategytest.Has(strategytest.Set))
	cancel()
	<-done
	for _, c := range calls {
		fmt.Println(c)
	}
	fmt.Println(err)
	// Output:
	// Add(10.0.0.1:7946)
	// Fail(page 2 is missing)
	// Set(10.0.0.1:7946 10.0.0.2:7946)
	// <nil>
}
