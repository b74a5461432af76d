// Command convoke-hashicorp is convoke with two more connectors, memberlist and serf:
//
//	convoke-hashicorp agent -c topology.yaml
//
// Its commands and flags are those of convoke.
package main

import (
	"os"

	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/connector/hashicorp/memberlist"
	"github.com/goconvoke/convoke/connector/hashicorp/serf"
	"github.com/goconvoke/convoke/internal/command"
)

func main() { os.Exit(command.Main("convoke-hashicorp", gossip.Kind, memberlist.Kind, serf.Kind)) }
