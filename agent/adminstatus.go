package agent

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
)

// sendStatus replies with one status. A node that does not list its members reports why, and its topologies.
func (n *Node) sendStatus(ctx context.Context, r admin.Request, out send) error {
	s := admin.Status{
		Node: n.config.Node.Name, Cluster: n.config.Node.Cluster, Connector: n.kind, DataDir: n.config.Node.DataDir, Members: map[string]int{},
	}
	err := n.awaitRunning(ctx)
	if err == nil {
		err = n.addMembers(ctx, &s, r.Timeout/2)
	}
	if err != nil {
		s.Error = err.Error()
	}
	now := n.supervisor.Status()
	s.Formed, s.Topologies = now.Formed, []admin.Topology{}
	for _, t := range now.Topologies {
		s.Topologies = append(s.Topologies, admin.Topology{
			Name: t.Name, Strategy: t.Strategy, State: string(t.State), Formed: t.Formed, Whole: t.Whole, Why: t.Why,
		})
	}
	if n.quorum != nil {
		q := n.quorumStatus(ctx)
		s.Quorum = &q
	}
	s.HTTP = n.HTTP()
	return out(s)
}

// addMembers adds what the connector, and the gossip core if it is that, knows.
func (n *Node) addMembers(ctx context.Context, s *admin.Status, timeout time.Duration) error {
	list, err := n.memberList(ctx)
	if err != nil {
		return err
	}
	for _, m := range list {
		s.Members[m.Status]++
	}
	g := n.Gossip()
	if g == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return addGossip(ctx, s, g)
}

// addGossip adds what only the gossip core knows.
func addGossip(ctx context.Context, s *admin.Status, g *gossip.Node) error {
	a, err := g.Agreement(ctx)
	if err != nil {
		return err
	}
	v := g.View()
	s.Isolated, s.Hash, s.Shared = v.Isolated, fmt.Sprintf("%016x", v.Hash), fmt.Sprintf("%016x", v.Shared)
	s.Agreement = &admin.Agreement{Same: orEmpty(a.Same), Differ: orEmpty(a.Differ), Silent: orEmpty(a.Silent)}
	s.Staleness = g.Staleness()
	s.Counters = map[string]uint64{}
	addCounters(reflect.ValueOf(g.Counters()), "", s.Counters)
	return nil
}

// orEmpty makes an absent list an empty one: [] in JSON.
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// addCounters adds the numbers of a struct, and of those in it, under their names: "refused.by_peer".
func addCounters(v reflect.Value, prefix string, into map[string]uint64) {
	for i := range v.NumField() {
		name := prefix + snakeCase(v.Type().Field(i).Name)
		switch f := v.Field(i); f.Kind() {
		case reflect.Uint64:
			into[name] = f.Uint()
		case reflect.Struct:
			addCounters(f, name+".", into)
		}
	}
}

// snakeCase makes "ByPeer" "by_peer".
func snakeCase(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
