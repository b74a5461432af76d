package election

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// The goals of quorums with 256 members, in bytes a second; the report has the same.
func TestIdleMembersOfAQuorumSendLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("256 members for a minute, twice")
	}
	var rows []Row
	var err error
	synctest.Test(t, func(*testing.T) { rows, err = convokeIdle() })
	if err != nil {
		t.Fatal(err)
	}
	most := map[string]float64{"sent by the leader": 80e3, "sent by another voter": 5e3, "sent by a member": 300}
	for _, r := range rows {
		t.Logf("%s: %v..%v", r.Measure, slices.Min(r.Samples), slices.Max(r.Samples))
		for what, limit := range most {
			if strings.HasSuffix(r.Measure, what) {
				delete(most, what)
				if slices.Max(r.Samples) > limit {
					t.Errorf("%s: %v B/s, want %v at most", r.Measure, slices.Max(r.Samples), limit)
				}
			}
		}
	}
	if len(most) > 0 {
		t.Errorf("nothing was measured for %v", most)
	}
}
