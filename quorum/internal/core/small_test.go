package core

import (
	"testing"
	"time"
)

func TestThreeVotersElectALeaderAndShareTheShards(t *testing.T) {
	s := begin(t, 3, nil)
	if s.w.Now > 500*time.Millisecond {
		t.Errorf("all shards are held after %v, want 500ms at most", s.w.Now)
	}
	for _, n := range s.nodes {
		if len(n.works) != 8 {
			t.Errorf("%s holds %d of 24 shards, want 8", n, len(n.works))
		}
	}
	s.finish(t, 0)
}
