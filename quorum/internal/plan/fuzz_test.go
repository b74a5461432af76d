package plan

import (
	"fmt"
	"testing"
)

// FuzzPlan checks what Plan promises for a table and members made of any bytes.
func FuzzPlan(f *testing.F) {
	f.Add([]byte{3, 1, 2, 2, 0, 3, 1, 7}, []byte{1, 2, 255, 3, 255, 255, 9, 9}, uint8(2))
	f.Add([]byte{}, []byte{1, 2, 3}, uint8(1))
	f.Add([]byte("aAbBcC"), []byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, members, rows []byte, copies uint8) {
		s := scene{copies: int(copies%5) - 1}
		for ; len(members) >= 2 && len(s.members) < 10; members = members[2:] {
			s.members = append(s.members, Member{
				ID: uint64(members[0] % 16), Zone: fmt.Sprint(members[1] >> 6), Weight: int(members[1]&15) - 1, Drain: members[1]&48 == 48,
			})
		}
		s.old = append(s.old, nil)
		for _, b := range rows[:min(len(rows), 60)] {
			if b == 255 { // ends a row
				s.old = append(s.old, nil)
				continue
			}
			last := &s.old[len(s.old)-1]
			*last = append(*last, uint64(b%16))
		}
		if s.copies < 1 { // counts as 1
			one := s
			one.copies = 1
			if fmt.Sprint(s.plan()) != fmt.Sprint(one.plan()) {
				t.Errorf("%d copies are not planned as one", s.copies)
			}
			s = one
		}
		if err := check(s); err != nil {
			t.Errorf("%v\n%v", err, s)
		}
	})
}
