package core

import "testing"

func TestReadsAndWritesWaitForALeaderThatWasElectedAMomentAgo(t *testing.T) {
	c := &Core{cfg: Config{Name: "a"}, lead: newLeader(1, 0)}
	for i, kind := range []uint8{requestRead, requestPut, requestDelete} {
		c.serveRequest("b", &RequestFrame{Kind: kind, ID: uint64(i + 1), Key: "k"})
	}
	if len(c.lead.reads) != 1 || len(c.lead.writes) != 2 || len(c.out) != 0 {
		t.Errorf("%d reads and %d writes wait, and %v was sent, want 1, 2 and nothing", len(c.lead.reads), len(c.lead.writes), c.out)
	}
	c.serveRequest("b", &RequestFrame{Kind: requestPin, ID: 4})
	if len(c.out) != 1 {
		t.Errorf("an order of an operator is not refused: %v", c.out)
	}
}
