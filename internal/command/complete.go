package command

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/ops"
)

// completeTime is how long a shell waits for the agent.
const completeTime = time.Second

// completeList offers the names in what the agent answers, for the argument at a place.
func completeList[T any](r *agentClient, at int, q func(args []string) call, name func(T) string) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) != at {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		quick := *r
		quick.timeout = completeTime
		ctx := c.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		list, _ := ask[[]T](ctx, &quick, q(args)) // a shell gets no errors
		var names []string
		for _, v := range list {
			if n := name(v); n == displayText(n) {
				names = append(names, n)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeAt offers for each place of the arguments what its function does.
func completeAt(places ...cobra.CompletionFunc) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
		if len(args) < len(places) && places[len(args)] != nil {
			return places[len(args)](c, args, text)
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeMembers offers the names of the members.
func completeMembers(r *agentClient, at int) cobra.CompletionFunc {
	return completeList(r, at, func([]string) call { return get("members") }, func(m ops.Member) string { return m.Name })
}

// completeMembersAndKeys offers the members and then the keys of the one that was chosen.
func completeMembersAndKeys(r *agentClient) cobra.CompletionFunc {
	keys := func(args []string) call { return get("members/" + part(args[0]) + "/keys") }
	return completeAt(completeMembers(r, 0), completeList(r, 1, keys, keyOf))
}

func keyOf(p ops.Pair) string { return string(p.Key) }

// completeShared offers the keys of the shared map.
func completeShared(r *agentClient) cobra.CompletionFunc {
	return completeList(r, 0, func([]string) call { return get("shared") }, keyOf)
}

// completeGroups offers the groups, and members at a place after them unless that is 0.
func completeGroups(r *agentClient, members int) cobra.CompletionFunc {
	places := make([]cobra.CompletionFunc, members+1)
	if members > 0 {
		places[members] = completeMembers(r, members)
	}
	places[0] = completeList(r, 0, func([]string) call { return get("shards") }, func(g ops.Group) string { return g.Name })
	return completeAt(places...)
}

// completeTopologies offers the topologies.
func completeTopologies(r *agentClient) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		quick := *r
		quick.timeout = completeTime
		d, _ := ask[ops.Document](c.Context(), &quick, get("status"))
		var names []string
		for _, t := range d.Topologies {
			names = append(names, t.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
