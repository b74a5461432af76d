package core

import (
	"testing"
	"time"
)

func TestThreeVotersElectALeaderAndShareTheShards(t *testing.T) {
	s := newSimulation(3, 1)
	if testing.Verbose() {
		s.w.Trace = func(l string) { t.Log(l) }
	}
	s.start()
	if !s.until(2*time.Second, s.allHeld) {
		t.Errorf("not all shards are held after %v", s.w.Now)
	}
	t.Log(s.w.Now, s.w.Steps())
	if err := s.err(); err != nil {
		t.Error(err)
	}
}
