package core

import (
	"bytes"
	"testing"
	"time"
)

// owner returns the name of the holder of a shard of the first group, as the log gives it.
func (s *simulation) owner(shard int) string {
	t := s.check.model.table
	return t.memberName(t.Group(s.groups[0].Name).Shards[shard].Holder)
}

func wantCode(t *testing.T, got Result, want Code) {
	t.Helper()
	if got.Code != want {
		t.Errorf("the result is %d, want %d", got.Code, want)
	}
}

func TestAPinnedShardIsAtItsMemberWheneverThatIsThere(t *testing.T) {
	s := begin(t, 5, nil)
	n := s.spare()
	const shard = 5
	if s.owner(shard) == n.name {
		t.Fatal("the shard is there without a pin")
	}
	wantCode(t, s.operate(s.follower(), Pin{Group: "orders", Shard: shard, Member: n.name}), OK)
	isThere := func() bool { return s.owner(shard) == n.name && s.allHeld() }
	if !s.until(200*time.Millisecond, isThere) {
		t.Errorf("%s holds it 200ms after it was pinned to %s", s.owner(shard), n)
	}
	n.crash()
	s.finish(t, s.cfg.Lease+time.Second)
	n.start()
	if !s.until(time.Second, isThere) {
		t.Errorf("%s holds it 1s after %s is back", s.owner(shard), n)
	}
	if _, groups := s.check.model.table.status(); len(groups[0].Pins) != 1 || groups[0].Pins[0] != (PinStatus{shard, n.name}) {
		t.Errorf("the status shows pins %v", groups[0].Pins)
	}
	wantCode(t, s.operate(n, Pin{Group: "orders", Shard: shard}), OK)
	if _, groups := s.check.model.table.status(); len(groups[0].Pins) != 0 {
		t.Errorf("after its end the status shows pins %v", groups[0].Pins)
	}
	s.finish(t, time.Second)
}

func TestAPinOutlivesLeadersAndSnapshots(t *testing.T) {
	s := begin(t, 5, nil)
	n := s.spare()
	wantCode(t, s.operate(n, Pin{Group: "orders", Shard: 1, Member: n.name}), OK)
	wantCode(t, s.operate(n, Exclude{Group: "orders", Member: s.follower().name}), OK)
	s.run(20 * time.Second) // its entry is no longer in the log, which keeps 64
	for range 3 {
		l := s.leader()
		l.crash()
		l.disk.lose(s.newID())
		l.start()
		if !s.until(30*time.Second, func() bool { return s.votersFit() && s.allHeld() && s.directed() }) {
			t.Fatalf("after %s was replaced: voters whole %v, all held %v, %s holds the pinned shard", l, s.votersFit(), s.allHeld(), s.owner(1))
		}
	}
	s.finish(t, 0)
}

func TestAMovedShardIsHandedOverOnce(t *testing.T) {
	s := begin(t, 5, nil)
	s.run(time.Second)
	n, at := s.spare(), s.w.Now
	wantCode(t, s.operate(s.follower(), Move{Group: "orders", Shard: 3, Member: n.name}), OK)
	if s.owner(3) != n.name || s.w.Now-at > 100*time.Millisecond {
		t.Errorf("after %v %s holds it, want %s within 100ms", s.w.Now-at, s.owner(3), n)
	}
	wantCode(t, s.operate(s.follower(), Move{Group: "orders", Shard: 3, Member: n.name}), OK)
	n.crash()
	s.finish(t, s.cfg.Lease+time.Second)
	to := s.owner(3)
	n.start()
	s.run(time.Second)
	if s.owner(3) != to {
		t.Errorf("%s holds it though it was moved to %s before, want %s", s.owner(3), n, to)
	}
}

func TestAnOperatorFreesAMemberOfAGroupByName(t *testing.T) {
	s := begin(t, 5, func(s *simulation) {
		s.groups = append(s.groups, GroupSettings{Name: "mail", Shards: 10, Copies: 1, Weight: 1})
	})
	n := s.spare()
	wantCode(t, s.operate(s.leader(), Exclude{Group: "orders", Member: n.name}), OK)
	holds := func() (orders, mail int) {
		for k := range n.works {
			if k.group == "orders" {
				orders++
			} else {
				mail++
			}
		}
		return orders, mail
	}
	if !s.until(time.Second, func() bool { orders, _ := holds(); return orders == 0 && s.allHeld() }) {
		t.Error("1s later it still holds shards of the group")
	}
	if _, mail := holds(); mail == 0 {
		t.Error("it holds nothing of the other group")
	}
	n.crash()
	s.run(time.Second)
	n.start()
	s.finish(t, s.cfg.Lease+time.Second)
	if orders, _ := holds(); orders != 0 {
		t.Errorf("after its restart it holds %d shards", orders)
	}
	wantCode(t, s.operate(n, Exclude{Group: "orders", Member: n.name, Undo: true}), OK)
	if !s.until(5*time.Minute, func() bool { orders, _ := holds(); return orders >= 4 }) {
		orders, _ := holds()
		t.Errorf("five minutes later it holds %d shards, want its share of 4: one a minute moves for balance", orders)
	}
	s.finish(t, time.Second)
}

func TestRequestsOnWhatIsNotThereChangeNothing(t *testing.T) {
	s := begin(t, 3, nil)
	n := s.nodes[0]
	wantCode(t, s.operate(n, Pin{Group: "orders", Shard: 2, Member: "n1"}), OK)
	s.until(time.Second, s.directed)
	had := s.check.model.table.encode()
	for _, c := range []struct {
		in   Input
		want Code
	}{
		{Pin{Group: "x", Member: "n1"}, NotFound},
		{Pin{Group: "orders", Shard: 24, Member: "n1"}, NotFound},
		{Pin{Group: "orders", Shard: -1, Member: "n1"}, NotFound},
		{Pin{Group: "orders", Shard: MaxShards, Member: "n1"}, NotFound},
		{Pin{Group: "orders", Shard: 1, Member: string(make([]byte, MaxName+1))}, NotFound},
		{Move{Group: "x", Member: "n1"}, NotFound},
		{Move{Group: "orders", Shard: 1, Member: "x"}, NotFound},
		{Move{Group: "orders", Shard: 2, Member: "n2"}, Pinned},
		{Exclude{Group: "x", Member: "n1"}, NotFound},
		{Exclude{Group: "orders"}, NotFound},
	} {
		if got := s.operate(n, c.in); got.Code != c.want {
			t.Errorf("%+v: result %d, want %d", c.in, got.Code, c.want)
		}
	}
	s.run(time.Second)
	if got := s.check.model.table.encode(); !bytes.Equal(got, had) {
		t.Error("the table has changed")
	}
	s.finish(t, time.Second)
}

func TestAMemberThatIsGoneEndsAMoveToIt(t *testing.T) {
	s := begin(t, 5, nil)
	n := s.spare()
	from := s.byName[s.owner(7)]
	if from == n {
		t.Fatal("it holds the shard already")
	}
	from.stuck = true
	id := s.newOperation()
	r := &simRequest{node: from, operator: true, ended: -1}
	from.requests[id] = r
	from.step(withID(Move{Group: "orders", Shard: 7, Member: n.name}, id))
	s.run(100 * time.Millisecond)
	if moves := s.leader().core.Status().Moves; len(moves) != 1 || moves[0].Shard != 7 || moves[0].From != from.name || moves[0].Since == 0 {
		t.Errorf("the status shows moves %+v", moves)
	}
	n.crash()
	if !s.until(time.Second, func() bool { return r.ended >= 0 }) || r.code != NotFound {
		t.Errorf("ended at %v with result %d, want %d", r.ended, r.code, NotFound)
	}
}
