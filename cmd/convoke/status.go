package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
)

// nodeStatus is how a node and its cluster are. What only the gossip core knows is absent with other connectors.
type nodeStatus struct {
	Node      string            `json:"node"`
	Cluster   string            `json:"cluster"`
	Connector string            `json:"connector"`
	DataDir   string            `json:"data_dir,omitzero"`
	Members   map[string]int    `json:"members"` // by status
	Isolated  bool              `json:"isolated"`
	Hash      string            `json:"hash,omitzero"`        // of all records, in hex
	Shared    string            `json:"shared_hash,omitzero"` // of the shared map, in hex
	Agreement *agreement        `json:"agreement,omitzero"`
	Staleness time.Duration     `json:"staleness_ns"`
	Counters  map[string]uint64 `json:"counters,omitzero"`
}

// agreement tells who has the same state as this node.
type agreement struct {
	Same   []string `json:"same"`
	Differ []string `json:"differ"`
	Silent []string `json:"silent"`
}

func newStatus() *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use:   "status -c FILE",
		Short: "Print how the running node is, and who has the same state as it",
		Long: `status asks the running agent how its node is, and has it ask every member that is up whether their
records and shared maps are equal: the same, differing (normal for a moment after a change), or silent for
half of --timeout. Staleness is for how long some neighbour has had another state than this node.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return r.ask(c.Context(), admin.Request{Op: "status"}, into(func(s nodeStatus) error {
				if r.as == asJSON {
					return failed(printJSON(c.OutOrStdout(), s))
				}
				return failed(s.print(c.OutOrStdout()))
			}))
		},
	}
	remoteFlags(c, &r)
	return c
}

func (s nodeStatus) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(t, "%s\t%s\n", name, value) }
	row("node", s.Node)
	row("cluster", s.Cluster)
	row("connector", s.Connector)
	row("data_dir", orNothing(s.DataDir))
	var members []string
	for _, status := range []gossip.Status{gossip.Up, gossip.Degraded, gossip.Down, gossip.Left} {
		if n := s.Members[status.String()]; n > 0 || status == gossip.Up {
			members = append(members, fmt.Sprintf("%d %v", n, status))
		}
	}
	row("members", strings.Join(members, ", "))
	if a := s.Agreement; a != nil {
		row("isolated", yesNo(s.Isolated))
		row("hash", s.Hash+" (records) "+s.Shared+" (shared map)")
		row("same", names(a.Same))
		row("differ", names(a.Differ))
		row("silent", names(a.Silent))
		row("staleness", s.Staleness.Round(time.Millisecond).String())
	}
	for _, name := range slices.Sorted(maps.Keys(s.Counters)) {
		if n := s.Counters[name]; n > 0 {
			row(name, fmt.Sprint(n))
		}
	}
	return t.Flush()
}

// names writes names in one line.
func names(all []string) string {
	var safe []string
	for _, n := range all {
		safe = append(safe, shown(n))
	}
	return orNothing(strings.Join(safe, " "))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// status replies with one nodeStatus.
func (d *desk) status(ctx context.Context, r admin.Request, out send) error {
	s := nodeStatus{
		Node: d.config.Node.Name, Cluster: d.config.Cluster, Connector: d.kind, DataDir: d.config.Node.DataDir, Members: map[string]int{},
	}
	list, err := d.memberList(ctx)
	if err != nil {
		return err
	}
	for _, m := range list {
		s.Members[m.Status]++
	}
	if n := d.node(); n != nil {
		if err := s.fill(ctx, n, r.Timeout/2); err != nil {
			return err
		}
	}
	return out(s)
}

// fill adds what the gossip core knows.
func (s *nodeStatus) fill(ctx context.Context, n *gossip.Node, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a, err := n.Agreement(ctx)
	if err != nil {
		return err
	}
	v := n.View()
	s.Isolated, s.Hash, s.Shared = v.Isolated, fmt.Sprintf("%016x", v.Hash), fmt.Sprintf("%016x", v.Shared)
	s.Agreement = &agreement{orEmpty(a.Same), orEmpty(a.Differ), orEmpty(a.Silent)}
	s.Staleness = n.Staleness()
	s.Counters = map[string]uint64{}
	named(reflect.ValueOf(n.Counters()), "", s.Counters)
	return nil
}

// named writes the numbers of a struct, and of those in it, under their names: "refused.by_peer".
func named(v reflect.Value, prefix string, into map[string]uint64) {
	for i := range v.NumField() {
		name := prefix + snake(v.Type().Field(i).Name)
		switch f := v.Field(i); f.Kind() {
		case reflect.Uint64:
			into[name] = f.Uint()
		case reflect.Struct:
			named(f, name+".", into)
		}
	}
}

// snake makes "ByPeer" "by_peer".
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
