package ratelog

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// linesOf returns when lines come if one is wanted at each of some times after the epoch, in order.
func linesOf(p *Pacer, wanted []time.Duration) (lines []time.Duration) {
	for _, at := range wanted {
		if now := epoch.Add(at); !now.Before(p.Next()) {
			p.Passed(now)
			lines = append(lines, at)
		}
	}
	return lines
}

// every returns times from a start on.
func every(gap, from, to time.Duration) (times []time.Duration) {
	for at := from; at < to; at += gap {
		times = append(times, at)
	}
	return times
}

// mostInAnHour returns how many of the times are within one hour at most.
func mostInAnHour(times []time.Duration) (most int) {
	for i, from := range times {
		n, _ := slices.BinarySearch(times, from+time.Hour)
		most = max(most, n-i)
	}
	return most
}

func TestLinesOfOneKindComeEverMoreRarelyUntilTheyEnd(t *testing.T) {
	for burst, want := range map[int][]time.Duration{0: {0, 10, 30, 70, 150, 310, 630, 1230, 1830}, 2: {0, 1, 2, 12, 32, 72, 152, 312, 632, 1232, 1832}} {
		got := linesOf(&Pacer{Burst: burst}, every(time.Second, 0, 2000*time.Second))
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(got, want) {
			t.Errorf("burst %d: a line a second is logged at %v, want %v", burst, got, want)
		}
	}
}

func TestACalmHourMakesAKindNew(t *testing.T) {
	long := linesOf(&Pacer{Burst: 5}, every(time.Second, 0, 3*time.Hour))
	var p Pacer
	p.Burst = 5
	linesOf(&p, every(time.Second, 0, 3*time.Hour))
	calm := long[len(long)-1] + time.Hour
	if p.Calm(epoch.Add(calm-time.Second)) || !p.Calm(epoch.Add(calm)) {
		t.Error("the kind is not calm exactly an hour after its last line")
	}
	again := linesOf(&p, every(time.Second, calm, calm+10*time.Minute))
	for i, at := range again {
		if at-calm != long[i] {
			t.Errorf("line %d after a calm hour comes after %v, want %v, as at first", i, at-calm, long[i])
		}
	}
}

func TestCalmTimeTakesBackPartOfTheGaps(t *testing.T) {
	var p Pacer
	linesOf(&p, every(time.Second, 0, time.Hour)) // the gap is 10 minutes
	p.Passed(p.Next().Add(25 * time.Minute))      // half of what is calm
	if gap := p.gap(); gap <= minGap || gap >= maxGap {
		t.Errorf("the gap after half of a calm hour is %v, want one between %v and %v", gap, minGap, maxGap)
	}
}

// The documented bounds, against times that were chosen to break them: all gaps between 0 and 20 minutes, and random ones.
func TestNoCourseOfEventsMakesMoreLinesThanTheBound(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, burst := range []int{0, 4, 5} {
		most := 0
		for gap := time.Second; gap <= 20*time.Minute; gap += time.Second {
			most = max(most, mostInAnHour(linesOf(&Pacer{Burst: burst}, every(gap, 0, 12*time.Hour))))
		}
		for range 200 {
			var wanted []time.Duration
			for at := time.Duration(0); at < 24*time.Hour; at += time.Duration(random.Int64N(1 + int64(10*time.Minute)>>random.IntN(12))) {
				wanted = append(wanted, at)
			}
			most = max(most, mostInAnHour(linesOf(&Pacer{Burst: burst}, wanted)))
		}
		// A course that lets calm time take back just what the next line needs.
		for slack := time.Second; slack <= 15*time.Minute; slack += time.Second {
			p := &Pacer{Burst: burst}
			var lines []time.Duration
			for at := time.Duration(0); at < 6*time.Hour; at = p.Next().Sub(epoch) + slack {
				p.Passed(epoch.Add(at))
				lines = append(lines, at)
				if len(lines)%3 == 0 {
					for range burst + 2 { // and then as many as there may be
						at = max(at, p.Next().Sub(epoch))
						p.Passed(epoch.Add(at))
						lines = append(lines, at)
					}
				}
			}
			most = max(most, mostInAnHour(lines))
		}
		t.Logf("burst %d: at most %d lines in an hour", burst, most)
		if bound := 2*burst + 16; most > bound {
			t.Errorf("burst %d: %d lines in an hour, want at most %d", burst, most, bound)
		}
	}
}
