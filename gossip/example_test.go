package gossip_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/goconvoke/convoke/gossip"
)

// pair starts two nodes on this machine and joins them.
func pair(ctx context.Context) (a, b *gossip.Node) {
	var nodes [2]*gossip.Node
	for i, name := range []string{"a", "b"} {
		n, err := gossip.Start(gossip.Config{Name: name, ClusterID: "example", Listen: "127.0.0.1:0"})
		if err != nil {
			log.Fatal(err)
		}
		nodes[i] = n
	}
	if err := nodes[1].Join(ctx, nodes[0].Addr()); err != nil {
		log.Fatal(err)
	}
	for change := range nodes[0].Watch(ctx) {
		if change.View.Len() == 2 {
			break
		}
	}
	return nodes[0], nodes[1]
}

// What one member writes to the shared map all members read; Sync waits until they can.
func ExampleShared() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, b := pair(ctx)
	defer a.Stop()
	defer b.Stop()

	if err := a.Shared().Set(ctx, "config/limit", "100"); err != nil {
		log.Fatal(err)
	}
	if err := a.Shared().Sync(ctx); err != nil { // names who has it not
		log.Fatal(err)
	}
	limit, ok := b.Shared().Get("config/limit")
	fmt.Println(limit, ok)
	// Output: 100 true
}

// Update replaces a value by what a function makes of it.
func ExampleShared_Update() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, b := pair(ctx)
	defer a.Stop()
	defer b.Stop()

	for range 3 {
		err := a.Shared().Update(ctx, "visits", func(old string, ok bool) (string, bool, error) {
			n, _ := strconv.Atoi(old) // 0 without a value
			return strconv.Itoa(n + 1), true, nil
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	visits, _ := a.Shared().Get("visits")
	fmt.Println(visits)
	// Output: 3
}

// A member's own keys are written by it alone and read everywhere.
func ExampleNode_WatchKeys() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, b := pair(ctx)
	defer a.Stop()
	defer b.Stop()

	if err := b.Set(ctx, "role/primary", "yes"); err != nil {
		log.Fatal(err)
	}
	for change := range a.WatchKeys(ctx, "", "role/") { // of all members
		fmt.Println(change.Member, change.Key, change.Value)
		break
	}
	// Output: b role/primary yes
}

// Agreement asks every member that is up whether it has the same state.
func ExampleNode_Agreement() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, b := pair(ctx)
	defer a.Stop()
	defer b.Stop()

	for {
		agreement, err := a.Agreement(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if len(agreement.Same) == 2 {
			fmt.Println(agreement.Same)
			return
		}
	}
	// Output: [a b]
}

// Two nodes that start together agree on who founds a log.
func ExampleNode_Form() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, b := pair(ctx)
	defer a.Stop()
	defer b.Stop()

	founded := make(chan string, 2)
	for _, n := range []*gossip.Node{a, b} {
		f, err := n.Form(ctx, gossip.FormationConfig{Name: "log", Expect: 2, Found: func(_ context.Context, birth gossip.Birth) error {
			founded <- birth.Founder // write the first entry, and the ID of the birth, to the storage of this node
			return nil
		}})
		if err != nil {
			log.Fatal(err)
		}
		defer f.Close()
		if n == b {
			if _, err := f.Wait(ctx); err != nil {
				log.Fatal(err)
			}
		}
	}
	fmt.Println("founded by", <-founded)
	// Output: founded by a
}

// One member serves HTTP to the others on the port of the node, under its security.
func ExampleNode_Listen() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, b := pair(ctx)
	defer a.Stop()
	defer b.Stop()

	listener, err := a.Listen("http")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello from a") })}
	go server.Serve(listener) // until the node ends
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		member, _, _ := net.SplitHostPort(addr)
		return b.Dial(ctx, member, "http")
	}}}
	answer, err := client.Get("http://a/")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	io.Copy(os.Stdout, answer.Body)
	// Output: hello from a
}

// Each member adds words, and all read the union.
func ExampleFold() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, b := pair(ctx)
	defer a.Stop()
	defer b.Stop()

	sum := func(x, y int) int { return x + y }
	for i, n := range []*gossip.Node{a, b} {
		jobs, err := gossip.NewFold(n, gossip.FoldConfig[int]{Key: "jobs", Merge: sum})
		if err != nil {
			log.Fatal(err)
		}
		if err := jobs.Set(ctx, 10+i); err != nil {
			log.Fatal(err)
		}
	}
	jobs, _ := gossip.NewFold(a, gossip.FoldConfig[int]{Key: "jobs", Merge: sum})
	for total := range jobs.Watch(ctx) {
		if total == 21 {
			fmt.Println("all have", total, "jobs")
			break
		}
	}
	// Output: all have 21 jobs
}

// A ring decides which member should hold a key.
func ExampleRing() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, b := pair(ctx)
	defer a.Stop()
	defer b.Stop()

	ring := gossip.NewRing(a.View(), gossip.RingConfig{})
	fmt.Println("order-17 is with", ring.Owner("order-17").Name)
	// Output: order-17 is with b
}
