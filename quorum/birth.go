package quorum

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Birth decides who founds the quorum: the only moment at which no member can be asked. [Expect], [Founders] and
// [Arbitrated] return one.
type Birth struct {
	expect   int
	founders []string
	arbiter  Arbiter
}

// Expect founds the quorum as soon as n members that may vote see each other, each of which knows of no quorum; 1 to 255. It is safe
// while fewer than twice as many nodes are started before the founding: where more are, cut in two halves that do not see each other,
// each half founds one.
func Expect(n int) Birth { return Birth{expect: n} }

// Founders founds the quorum as soon as all members of these names see each other, each of which knows of no quorum. It is safe
// unless all of them lose their disks while they are cut off from all others.
func Founders(names ...string) Birth { return Birth{founders: names} }

func (b Birth) validate() error {
	switch {
	case b.arbiter != nil:
		return nil
	case b.expect == 0 && len(b.founders) == 0:
		return errors.New("birth: none is given: use Expect, Founders or Arbitrated")
	case b.expect < 0 || b.expect > 255:
		return fmt.Errorf("birth: expect %d: want 1 to 255", b.expect)
	}
	if sorted := slices.Sorted(slices.Values(b.founders)); len(slices.Compact(sorted)) != len(b.founders) {
		return fmt.Errorf("birth: founders %q: a name is given twice", b.founders)
	}
	return nil
}

// epoch is where the order of births begins to count.
var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// parseBirth returns the birth that an ID names, as the core knows it: minutes since 2020, milliseconds of the minute, and
// 24 bits of a hash of the ID. IDs are those of
// gossip.Formation: milliseconds since 1970, a random number, the founder.
func parseBirth(id string) (core.Birth, error) {
	at, rest, ok := strings.Cut(id, "-")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !ok || len(at) != 13 || rest == "" || len(id) > maxBirthID {
		return 0, fmt.Errorf("%q is not the ID of a birth", id)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	since := max(time.Minute, time.UnixMilli(ms).Sub(epoch))
	minutes, within := min(since/time.Minute, 1<<24-1), since%time.Minute/time.Millisecond
	return core.NewBirth(uint32(minutes), uint64(within)<<24|h.Sum64()>>40), nil
}

// maxBirthID bounds the ID of a birth: that of gossip.Formation with the longest name.
const maxBirthID = 14 + 17 + core.MaxName

// laterBirth returns the ID of a birth that comes after another one in the order of tokens, whatever the clocks show.
func laterBirth(founder string, than core.Birth, random uint64) string {
	at := max(time.Now().UnixMilli(), epoch.Add(time.Duration(than.Order()+1)*time.Minute).UnixMilli())
	return fmt.Sprintf("%013d-%016x-%s", at, random, founder)
}

// chooseFirst returns the first voters among the members that are up and know of no birth: this one, then those with a disk, then one of each
// zone, by name; as many as wanted, but an odd number, since an even one bears no more losses than one voter less.
func chooseFirst(v *gossip.View, c *Config, self birthVoter) []birthVoter {
	type candidate struct {
		birthVoter
		disk bool
		zone string
	}
	var found []candidate
	for m := range v.All() {
		cm, ok := coreMember(m)
		if _, born := birthOf(m); !ok || born || cm.Voter == 0 || !cm.Up || m.Name == self.Name || !c.mayFound(m.Name) {
			continue
		}
		found = append(found, candidate{birthVoter{strconv.FormatUint(cm.Voter, 16), m.Name}, cm.Disk, cm.Zone})
	}
	own, _ := v.Member(self.Name)
	zones := map[string]int{own.Zone: 1}
	first := []birthVoter{self}
	for len(first) < c.Voters && len(found) > 0 {
		best := slices.MinFunc(found, func(a, b candidate) int {
			return cmp.Or(compareBool(b.disk, a.disk), cmp.Compare(zones[a.zone], zones[b.zone]), cmp.Compare(a.Name, b.Name))
		})
		first, zones[best.zone] = append(first, best.birthVoter), zones[best.zone]+1
		found = slices.DeleteFunc(found, func(o candidate) bool { return o.Name == best.Name })
	}
	return first[:len(first)-(len(first)+1)%2]
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// publishedBirth returns the birth that a member without one joins, among those of the members that are up: one that has taken the place of others
// before those, one with a leader before others, then the earliest. False if there is none.
func publishedBirth(v *gossip.View) (birthRecord, bool) {
	records, led := map[string]birthRecord{}, map[string]bool{}
	for m := range v.All() {
		if b, ok := birthOf(m); ok && m.Up() {
			if old, known := records[b.ID]; !known || len(old.Voters) == 0 {
				records[b.ID] = b
			}
			if _, leads := m.Get(keyLeads); leads {
				led[b.ID] = true
			}
		}
	}
	var best birthRecord
	for _, id := range slices.Sorted(maps.Keys(records)) {
		b := records[id]
		if best.ID == "" || slices.Contains(b.Replaces, best.ID) || led[id] && !led[best.ID] && !slices.Contains(best.Replaces, id) {
			best = b
		}
	}
	return best, best.ID != ""
}
