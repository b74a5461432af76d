package gossip

import "testing"

func TestEveryReasonHasAName(t *testing.T) {
	for r := none; r < reasons; r++ {
		if r.String() == "" {
			t.Errorf("reason %d has no name", r)
		}
	}
}
