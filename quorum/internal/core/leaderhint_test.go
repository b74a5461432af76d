package core

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAWriteThatAnEarlierLeaderHasEndsWhenALaterOneIsKnown(t *testing.T) {
	c := &Core{}
	m := &member{leader: "a", term: 1, requests: map[uint64]*request{
		1: {id: 1, frame: RequestFrame{Kind: requestPut}, to: "a", sent: true, at: far},
		2: {id: 2, frame: RequestFrame{Kind: requestRead}, to: "a", sent: true, at: far},
		3: {id: 3, frame: RequestFrame{Kind: requestPut}, at: far},
		4: {id: 4, frame: RequestFrame{Kind: requestPut}, to: "b", sent: true, at: far},
	}}
	m.follow(c, "b", 2)
	if diff := cmp.Diff([]Output{Result{ID: 1, Code: Unknown}}, c.out); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if r := m.requests[2]; r == nil || r.at != 0 {
		t.Error("a read is not sent again at once")
	}
	if r := m.requests[3]; r == nil || r.at != 0 {
		t.Error("a write that no leader has is not sent at once")
	}
	if m.requests[4] == nil {
		t.Error("a write that the new leader has was given up")
	}
}
