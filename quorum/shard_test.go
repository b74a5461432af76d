package quorum

import (
	"hash/fnv"
	"math"
	"testing"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum/internal/plan"
)

// The vectors were computed by another program. A change here would move all data of all users.
var vectors = []struct {
	key      string
	of, java [5]int // for 1, 16, 271, 1024 and 65536 shards
}{
	{"", [5]int{0, 11, 31, 155, 59547}, [5]int{0, 0, 0, 0, 0}},
	{"a", [5]int{0, 8, 84, 248, 8440}, [5]int{0, 1, 97, 97, 97}},
	{"customer-42", [5]int{0, 6, 263, 374, 64886}, [5]int{0, 3, 150, 307, 17715}},
	{"orders/2024/0001", [5]int{0, 6, 56, 486, 15846}, [5]int{0, 6, 143, 262, 5382}},
	{"Zürich", [5]int{0, 13, 90, 605, 14941}, [5]int{0, 2, 89, 66, 19522}},
	{"日本", [5]int{0, 6, 212, 774, 12038}, [5]int{0, 7, 96, 487, 48615}},
	{"😀", [5]int{0, 0, 168, 368, 25968}, [5]int{0, 3, 17, 355, 3427}},
	{"polygenelubricants", [5]int{0, 11, 234, 939, 5035}, [5]int{0, 0, 245, 0, 0}}, // its hash code is -2^31
}

func TestTheShardOfAKeyIsTheSameInAllVersions(t *testing.T) {
	for _, v := range vectors {
		for i, count := range []int{1, 16, 271, 1024, 65536} {
			if got := Of(v.key, count); got != v.of[i] {
				t.Errorf("Of(%q, %d) = %d, want %d", v.key, count, got, v.of[i])
			}
			if got := OfJava(v.key, count); got != v.java[i] {
				t.Errorf("OfJava(%q, %d) = %d, want %d", v.key, count, got, v.java[i])
			}
		}
	}
}

func TestWithoutShardsAKeyHasNone(t *testing.T) {
	for _, count := range []int{0, -1, math.MinInt} {
		if of, java := Of("a", count), OfJava("a", count); of != -1 || java != -1 {
			t.Errorf("Of and OfJava with count %d = %d and %d, want -1", count, of, java)
		}
	}
}

func FuzzShards(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.key, 271)
	}
	f.Add("\xff\xc3", math.MaxInt)
	f.Fuzz(func(t *testing.T, key string, count int) {
		h := fnv.New64a()
		h.Write([]byte(key))
		if got, want := fnv1a(key), h.Sum64(); got != want {
			t.Errorf("fnv1a(%q) = %x, want %x as in hash/fnv", key, got, want)
		}
		if count <= 0 || count > math.MaxInt/2 {
			return
		}
		of, java := Of(key, count), OfJava(key, count)
		if of < 0 || of >= count || java < 0 || java >= count {
			t.Errorf("%q with %d shards: Of %d, OfJava %d", key, count, of, java)
		}
		if twice := Of(key, 2*count); twice != of && twice != of+count {
			t.Errorf("Of(%q, %d) = %d, and %d with twice as many", key, count, of, twice)
		}
		if want := int(plan.Mix(h.Sum64()) % uint64(count)); of != want {
			t.Errorf("Of(%q, %d) = %d, want %d", key, count, of, want)
		}
	})
}

func TestKeysOfOneKindSpreadOverAllShards(t *testing.T) {
	const count, keys = 64, 64_000
	var has [count]int
	for i := range keys {
		has[Of("customer-"+string(rune('a'+i%26))+string(rune('0'+i/26%10))+string(rune(0x4e00+i/260)), count)]++
	}
	for shard, n := range has {
		if math.Abs(float64(n)-keys/count) > 5*math.Sqrt(keys/count) {
			t.Errorf("shard %d has %d keys, want about %d", shard, n, keys/count)
		}
	}
}

func TestTheShardOfAKeyCostsNoAllocation(t *testing.T) {
	sum := 0
	if n := testing.AllocsPerRun(100, func() { sum += Of("customer-42", 256) + OfJava("customer-42", 256) }); n != 0 {
		t.Errorf("%v allocations, want none (sum %d)", n, sum)
	}
}

func TestWithoutMembersNoneIsPreferred(t *testing.T) {
	if m := Prefer(new(gossip.View), "key"); m != nil {
		t.Errorf("Prefer over no members = %v, want nil", m)
	}
}
