package strategy_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// printer is a sink that prints its calls.
type printer struct{ done context.CancelFunc }

func (p printer) Set(all []peer.Peer)  { fmt.Println("complete:", all); p.done() }
func (p printer) Add(some []peer.Peer) { fmt.Println("incomplete:", some) }
func (p printer) Fail(err error)       { fmt.Println("failed:", err) }

// A strategy for a source that is asked is a lookup: Poll brings the interval, the deadline, the jitter and the backoff.
func ExamplePoll() {
	calls := 0
	lookup := func(context.Context) ([]peer.Peer, error) {
		if calls++; calls == 1 {
			return []peer.Peer{{Addr: "10.0.0.1:7946"}}, errors.New("page 2 is missing")
		}
		return []peer.Peer{{Addr: "10.0.0.1:7946"}, {Addr: "10.0.0.2:7946"}}, nil
	}
	s := strategy.Poll(lookup, strategy.PollConfig{Interval: 100 * time.Millisecond, Timeout: time.Second}, strategy.Env{})

	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println(s.Run(ctx, printer{cancel}))
	// Output:
	// incomplete: [10.0.0.1:7946]
	// failed: page 2 is missing
	// complete: [10.0.0.1:7946 10.0.0.2:7946]
	// context canceled
}

// A strategy for a source that reports changes by itself is a function that blocks: Watch brings the restarts with a backoff, the
// limit for the first answer and the repetitions. Here the source is a channel.
func ExampleWatch() {
	registry := make(chan []peer.Peer, 1)
	registry <- []peer.Peer{{Addr: "10.0.0.1:7946"}}

	s := strategy.Watch(func(ctx context.Context, yield strategy.Yield) error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case peers, open := <-registry:
				if !open {
					return errors.New("the registry closed the stream")
				}
				yield(peers, nil)
			}
		}
	}, strategy.WatchConfig{FirstAnswer: 3 * time.Second}, strategy.Env{})

	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println(s.Run(ctx, printer{cancel}))
	// Output:
	// complete: [10.0.0.1:7946]
	// context canceled
}

// Find asks a strategy once, without a supervisor or a connector.
func ExampleFind() {
	type settings struct {
		Hosts []string `yaml:"hosts"`
	}
	roster := strategy.Kind[settings]{Name: "roster", Doc: "hosts of a list", New: func(c settings, env strategy.Env) (strategy.Strategy, error) {
		return strategy.Poll(func(context.Context) ([]peer.Peer, error) {
			var all []peer.Peer
			for _, h := range c.Hosts {
				all = append(all, peer.Peer{Addr: h})
			}
			return all, nil
		}, strategy.DefaultPoll(), env), nil
	}}
	configured, err := roster.Configure(settings{Hosts: []string{"10.0.0.1:7946", "10.0.0.2:7946"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := configured.New(strategy.Env{ClusterID: "orders"}) // or configured.Find, which is both steps
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	peers, err := strategy.Find(ctx, s)
	fmt.Println(peers, err)
	// Output: [10.0.0.1:7946 10.0.0.2:7946] <nil>
}
