// Command convoke runs a node of a cluster, and looks into what its topology file configures and finds.
//
//	convoke agent -c topology.yaml    run a node until it is stopped
//	convoke check topology.yaml       report every mistake in the file, without a network
//	convoke addrs -c topology.yaml    run the strategies once and print the peers
//	convoke explain -c topology.yaml  print every setting and where it comes from
//	convoke listen -c topology.yaml   print the multicast heartbeats that arrive here
//	convoke manifest -c topology.yaml print what Kubernetes needs for this file
//
// Further commands ask the agent that runs on this host, over a socket that only its user may open:
//
//	convoke members -c topology.yaml                          the members, as this node sees them
//	convoke status -c topology.yaml                           the node, and who has the same state
//	convoke keys get|set|delete|list|watch -c topology.yaml   what the members publish of themselves
//	convoke shared get|set|... -c topology.yaml               the map that all members share
//	convoke quorum status|transfer|recover -c topology.yaml   the leader, or why there is none, and the voters
//	convoke shards list|status|... -c topology.yaml           who holds the shards of the groups
//	convoke elect -c topology.yaml NAME -- CMD                run a command while this node leads
//	convoke map get|set|... -c topology.yaml                  the linearizable map
//	convoke join|leave|remove -c topology.yaml                call a node, leave, remove a member
//
// It exits with 0 when all went well, 1 when something failed and 2 when it was called wrongly.
package main

import (
	"os"

	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/internal/command"
)

func main() { os.Exit(command.Main("convoke", gossip.Kind)) }
