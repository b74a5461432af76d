package integration

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/integration/agent"
	"github.com/goconvoke/convoke/integration/lab"
)

// protocol1 is a commit whose nodes speak version 1 of the protocol.
const protocol1 = "a6386ed5"

func TestNodesOfTwoProtocolsRefuseEachOtherAndSayWhy(t *testing.T) {
	t.Parallel()
	if gossip.Protocol == 1 {
		t.Skip("nodes of this commit speak protocol 1 too")
	}
	old := agent.BuildCommit(t, protocol1)
	f := newFleet(t, lab.New(t, 2), "gossip", ipv4)
	f.spec.Strategy, f.spec.Config = "static", "{hosts: ["+f.address(1)+", "+f.address(2)+"]}"
	f.start(1)
	f.spec.Program = old
	f.start(2)
	for i, sentence := range map[int]string{
		1: "this node speaks protocol ", // its own words
		2: "the other side ",            // the same, passed on
	} {
		f.logs(i, formWithin, sentence, "protocol ", ", the other one 1: upgrade all nodes of the cluster")
	}
	for i := range 2 {
		if got := f.agents[i+1].EverSeen(); !slices.Equal(got, names([]int{i + 1})) {
			t.Errorf("%s saw %v", name(i+1), got)
		}
	}
}

// logs waits until a node has logged a line with all these words.
func (f *fleet) logs(host int, within time.Duration, words ...string) {
	f.t.Helper()
	has := func(line string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) })
	}
	late := time.Now().Add(within)
	for !slices.ContainsFunc(f.agents[host].Log(), has) {
		if time.Now().After(late) || f.t.Context().Err() != nil {
			f.t.Fatalf("%s logged no line with %q within %v", name(host), words, within)
		}
		wait(f.t, pollEvery)
	}
}
