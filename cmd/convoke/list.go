package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
)

// member is one member as an agent sees it. Only the gossip core knows more than the name and the address.
type member struct {
	Name   string     `json:"name"`
	Status string     `json:"status"`
	Addr   admin.Text `json:"addr"`
	Links  int        `json:"links"`
	Phi    float64    `json:"phi"`
	Keys   int        `json:"keys"` // how many it publishes
	Self   bool       `json:"self,omitzero"`
}

func newMembers() *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use:   "members -c FILE",
		Short: "Print the members, as the running agent sees them",
		Long: `members asks the running agent for all members that it knows: up, degraded (up, with less than half of
its links), down or left. Links are those that both ends publish; phi is the suspicion on this node's own
link to the member as it is now, 0 to 100 and 0 without one. With memberlist and serf only those that are up are known.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return printAll(c, &r, admin.Request{Op: "members"}, "NAME\tSTATUS\tADDRESS\tLINKS\tPHI\tKEYS", func(m member) []string {
				return []string{m.Name, m.Status, string(m.Addr), strconv.Itoa(m.Links), fmt.Sprintf("%.1f", m.Phi), strconv.Itoa(m.Keys)}
			})
		},
	}
	remoteFlags(c, &r)
	return c
}

// members replies with one member after the other.
func (d *desk) members(ctx context.Context, _ admin.Request, out send) error {
	list, err := d.memberList(ctx)
	for i := 0; err == nil && i < len(list); i++ {
		err = out(list[i])
	}
	return err
}

func (d *desk) memberList(ctx context.Context) ([]member, error) {
	n := d.node()
	if n == nil {
		return d.listed(ctx)
	}
	links, err := n.Links(ctx)
	if err != nil {
		return nil, err
	}
	phi := make(map[string]float64, len(links))
	for _, l := range links {
		phi[l.Peer] = l.Phi
	}
	var all []member
	for m := range n.View().All() {
		all = append(all, member{m.Name, m.Status.String(), admin.Text(m.Addr), m.Links, phi[m.Name], m.NumKeys(), m.Name == d.config.Node.Name})
	}
	return all, nil
}

// listed returns what any connector knows: who is up.
func (d *desk) listed(ctx context.Context) ([]member, error) {
	peers, err := d.carrier.List(ctx)
	if err != nil {
		return nil, err
	}
	var all []member
	for _, p := range d.carrier.Self() {
		all = append(all, member{Name: p.ID, Status: gossip.Up.String(), Addr: admin.Text(p.Addr), Self: true})
		break
	}
	for _, p := range peers {
		all = append(all, member{Name: p.ID, Status: gossip.Up.String(), Addr: admin.Text(p.Addr)})
	}
	return all, nil
}
