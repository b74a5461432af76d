package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/integration/lab"
)

const (
	removedWithin = 30 * time.Second // for a node to hear at its first contact that it was removed
	pollEvery     = 100 * time.Millisecond
)

// noPeers is a discovery that fills a file of [fleet.hostsFile] with no peer.
var noPeers []int

// durable makes a fleet without nodes, of the one connector that has state: each node keeps it on a disk of its own.
func durable(t *testing.T, hosts int) *fleet {
	t.Helper()
	f := newFleet(t, lab.New(t, hosts), "gossip", ipv4)
	f.disks = t.TempDir()
	return f
}

// durablyFormed starts a node in each of the hosts 1..n of a new lab of that many and waits until they are one cluster.
func durablyFormed(t *testing.T, n int) *fleet {
	t.Helper()
	f := durable(t, n)
	f.spec.Expect = n
	f.start(to(n)...)
	f.whole(formWithin)
	return f
}

// hostsFile has the nodes that start from now on find the given hosts alone.
func (f *fleet) hostsFile(hosts []int) {
	f.t.Helper()
	file, err := os.CreateTemp(f.t.TempDir(), "hosts")
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	for _, i := range hosts {
		if _, err := fmt.Fprintln(file, f.address(i)); err != nil {
			f.t.Fatal(err)
		}
	}
	f.spec.Strategy, f.spec.Config = "hostsfile", "{path: "+file.Name()+"}"
}

func (f *fleet) address(host int) string { return f.lab.IP(host) + ":7946" }

// do runs a command at a node.
func (f *fleet) do(host int, command ...string) string {
	f.t.Helper()
	return f.agents[host].Do(f.t, command...)
}

// open waits until a node that was just started takes commands.
func (f *fleet) open(host int) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), formWithin)
	defer cancel()
	if err := f.agents[host].WaitStarted(ctx); err != nil {
		f.t.Fatal(err)
	}
}

// set has a node write a shared key.
func (f *fleet) set(host int, key, value string) {
	f.t.Helper()
	f.do(host, "shared", "set", key, value)
}

// publish has a node write a key of its own.
func (f *fleet) publish(host int, key, value string) {
	f.t.Helper()
	f.do(host, "keys", "set", key, value)
}

// kill ends nodes all at once, without an announcement.
func (f *fleet) kill(hosts ...int) {
	var all sync.WaitGroup
	for _, i := range hosts {
		all.Go(f.agents[i].Kill)
	}
	all.Wait()
}

// state is what a node answers when it is asked for all data.
type state struct {
	Shared map[string]string            // the shared map
	Own    map[string]map[string]string // by member; who publishes nothing is absent
}

// pair is a key in an answer.
type pair struct{ Member, Key, Value string }

// state asks a node for all data.
func (f *fleet) state(ctx context.Context, host int) (state, error) {
	s := state{Shared: map[string]string{}, Own: map[string]map[string]string{}}
	shared, err := answer[[]pair](ctx, f, host, "shared", "list")
	if err != nil {
		return s, err
	}
	for _, p := range shared {
		s.Shared[p.Key] = p.Value
	}
	own, err := answer[[]pair](ctx, f, host, "keys", "list")
	for _, p := range own {
		if s.Own[p.Member] == nil {
			s.Own[p.Member] = map[string]string{}
		}
		s.Own[p.Member][p.Key] = p.Value
	}
	return s, err
}

// answer is what a command at a node prints as JSON.
func answer[T any](ctx context.Context, f *fleet, host int, command ...string) (v T, err error) {
	out, err := f.agents[host].Ask(ctx, append(slices.Clone(command), "-o", "json")...)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		return v, fmt.Errorf("convoke %s: %w: %s", strings.Join(command, " "), err, out)
	}
	return v, nil
}

// holds waits until every living node answers with exactly this data.
func (f *fleet) holds(within time.Duration, want state) {
	f.t.Helper()
	f.eventually(within, func(ctx context.Context, host int) (string, error) {
		got, err := f.state(ctx, host)
		return cmp.Diff(want, got), err
	})
}

// lists waits until every living node lists exactly the members with these statuses.
func (f *fleet) lists(within time.Duration, want map[string]string) {
	f.t.Helper()
	f.eventually(within, func(ctx context.Context, host int) (string, error) {
		list, err := answer[[]struct{ Name, Status string }](ctx, f, host, "members")
		got := map[string]string{}
		for _, m := range list {
			got[m.Name] = m.Status
		}
		return cmp.Diff(want, got), err
	})
}

// agree waits until every living node reports that all have the same state as it.
func (f *fleet) agree(within time.Duration) {
	f.t.Helper()
	type agreement struct{ Same, Differ, Silent []string }
	want := agreement{names(f.running()), []string{}, []string{}}
	f.eventually(within, func(ctx context.Context, host int) (string, error) {
		got, err := answer[struct{ Agreement agreement }](ctx, f, host, "status")
		return cmp.Diff(want, got.Agreement), err
	})
}

// eventually asks each living node, again and again but once at least, until there is no difference to what is wanted.
func (f *fleet) eventually(within time.Duration, difference func(ctx context.Context, host int) (string, error)) {
	f.t.Helper()
	late := time.Now().Add(within)
	for _, i := range f.running() {
		for {
			diff, err := difference(f.t.Context(), i)
			if err == nil && diff == "" {
				break
			}
			if time.Now().Before(late) {
				wait(f.t, pollEvery)
				continue
			}
			if err != nil {
				f.t.Fatalf("%s, not within %v: %v", name(i), within, err)
			}
			f.t.Fatalf("%s answers, still after %v (-want +got):\n%s", name(i), within, diff)
		}
	}
}

// ends waits for the end of a node that was not killed, and returns its exit code.
func (f *fleet) ends(host int, within time.Duration) int {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), within)
	defer cancel()
	code, err := f.agents[host].ExitCode(ctx)
	if err != nil {
		f.t.Fatalf("not within %v: %v", within, err)
	}
	return code
}

// neverSaw fails the test when a living node had a host in its member list since a moment.
func (f *fleet) neverSaw(host int, since time.Time) {
	f.t.Helper()
	for _, i := range f.running() {
		for _, e := range f.agents[i].Events(since) {
			if slices.Contains(e.Members, name(host)) {
				f.t.Errorf("%s saw %s %v later: %v", name(i), name(host), e.At.Sub(since), e.Members)
			}
		}
	}
}

// up is the answer to lists where these hosts are up, and no other is known.
func up(hosts ...int) map[string]string {
	all := map[string]string{}
	for _, i := range hosts {
		all[name(i)] = "up"
	}
	return all
}
