package core

import (
	"bytes"
	"fmt"
	"testing"
)

func anySession(uint64) bool { return true }

func TestAKeyIsWrittenOnlyUnderTheIndexOfItsLastWrite(t *testing.T) {
	m := newMap()
	put := func(index, prev uint64) outcome {
		return m.apply(index, &op{kind: opPut, key: "k", value: []byte("v"), token: prev}, anySession)
	}
	for _, c := range []struct {
		index, prev uint64
		want        outcome
	}{{5, 1, outcome{Conflict, 0}}, {6, 0, outcome{OK, 6}}, {7, 0, outcome{Conflict, 6}}, {8, 6, outcome{OK, 8}}, {9, 6, outcome{Conflict, 8}}} {
		if got := put(c.index, c.prev); got != c.want {
			t.Errorf("a write at %d under %d = %v, want %v", c.index, c.prev, got, c.want)
		}
	}
	if got := m.apply(10, &op{kind: opDelete, key: "k", token: 6}, anySession); got != (outcome{Conflict, 8}) {
		t.Errorf("a deletion under an old index = %v", got)
	}
	if got := m.apply(11, &op{kind: opDelete, key: "k", token: 8}, anySession); got != (outcome{OK, 0}) || len(m.items) != 0 || m.bytes != 0 {
		t.Errorf("a deletion = %v; %d keys and %d bytes are left", got, len(m.items), m.bytes)
	}
}

func TestTheMapHasABound(t *testing.T) {
	m, value := newMap(), make([]byte, MaxValue)
	n := 0
	for ; ; n++ {
		if got := m.apply(uint64(n+1), &op{kind: opPut, key: fmt.Sprintf("%06d", n), value: value}, anySession); got.code == Full {
			break
		}
	}
	if want := MaxMap / (MaxValue + 6); n != want {
		t.Errorf("%d values fit, want %d", n, want)
	}
	if got := m.apply(9999, &op{kind: opPut, key: "000000", value: value, token: 1}, anySession); got.code != OK {
		t.Errorf("to replace a value in a full map = %v", got)
	}
}

func TestKeysOfASessionEndWithIt(t *testing.T) {
	s := newState(NewBirth(1, 1))
	s.apply(2, []op{{kind: opOpen, name: "a", nonce: 1}})
	s.apply(3, []op{{kind: opPut, key: "mine", session: 1}, {kind: opPut, key: "other"}})
	if got := s.apply(4, []op{{kind: opPut, key: "x", session: 9}}); got[0].code != NoSession {
		t.Errorf("a key of a session that is not there = %v", got)
	}
	back, err := parseState(s.encode())
	if err != nil || !bytes.Equal(back.encode(), s.encode()) {
		t.Fatalf("the state does not survive its snapshot: %v", err)
	}
	for _, s := range []*state{s, back} {
		s.apply(5, []op{{kind: opEnd, session: 1}})
		if s.kv.items["mine"] != nil || s.kv.items["other"] == nil {
			t.Errorf("keys after the end of the session: %v", s.kv.keys())
		}
	}
}
