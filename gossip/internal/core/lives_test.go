package core

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// userKeys are the keys of a core's own member.
func userKeys(c *Core) int {
	m, _ := c.Member(c.cfg.ID)
	return m.Keys.Len()
}

func TestAStepDeletesABoundedNumberOfKeysAndTheNextOneIsDueAtOnce(t *testing.T) {
	c := lone(t)
	const keys = 1000
	for i := range keys {
		c.Step(c.clock.last, Set{Key: fmt.Sprint(i), Value: "v", TTL: time.Second})
	}
	for i := 0; i < 5; i++ {
		c.Step(c.clock.last.Add(200*time.Millisecond), Tick{})
	}
	for left := keys; left > 0; {
		got := userKeys(c)
		if got != left-min(left, maxExpiries) {
			t.Fatalf("%d keys are left of %d, want %d less", got, left, maxExpiries)
		}
		if left = got; left > 0 && c.NextTick() != c.clock.last {
			t.Fatalf("the next step is due in %v, want at once", c.NextTick().Sub(c.clock.last))
		}
		c.Step(c.NextTick(), Tick{})
	}
}

func TestAKeyEndsAtTheTimeOfItsLastWrite(t *testing.T) {
	c := lone(t)
	start := c.clock.last
	c.Step(start, Set{Key: "longer", Value: "v", TTL: 100 * time.Millisecond})
	c.Step(start, Set{Key: "longer", Value: "v", TTL: 500 * time.Millisecond})
	c.Step(start, Set{Key: "shorter", Value: "v", TTL: time.Hour})
	c.Step(start, Set{Key: "shorter", Value: "w", TTL: 300 * time.Millisecond})
	c.Step(start, Set{Key: "for good", Value: "v", TTL: 100 * time.Millisecond})
	c.Step(start, Set{Key: "for good", Value: "v"})
	c.Step(start, Set{Key: "again", Value: "v", TTL: 100 * time.Millisecond})
	c.Step(start, Delete{Key: "again"})
	c.Step(start, Set{Key: "again", Value: "w"})
	for _, s := range []struct {
		after time.Duration
		want  []string
	}{
		{0, []string{"again", "for good", "longer", "shorter"}},
		{299 * time.Millisecond, []string{"again", "for good", "longer", "shorter"}},
		{300 * time.Millisecond, []string{"again", "for good", "longer"}},
		{500 * time.Millisecond, []string{"again", "for good"}},
		{2 * time.Second, []string{"again", "for good"}},
	} {
		for c.clock.last.Before(start.Add(s.after)) {
			next := c.NextTick()
			if end := start.Add(s.after); next.After(end) {
				next = end
			}
			c.Step(next, Tick{})
		}
		m, _ := c.Member("self")
		var got []string
		for key := range m.Keys.From("") {
			got = append(got, key)
		}
		if !slices.Equal(got, s.want) {
			t.Errorf("after %v there are %v, want %v", s.after, got, s.want)
		}
	}
}

// BenchmarkOwnSet writes own keys with a view after each write, as a node does.
func BenchmarkOwnSet(b *testing.B) {
	for _, keys := range []int{10, 10_000} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) {
			c := lone(b)
			for i := range keys {
				c.Step(c.clock.last, Set{Key: fmt.Sprint("key", i), Value: "v"})
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				c.Step(c.clock.last.Add(time.Microsecond), Set{Key: fmt.Sprint("key", i*7919%keys), Value: fmt.Sprint(i)})
				c.TakeChanged()
				i++
			}
		})
	}
}

// BenchmarkSetWhileKeysExpire writes keys that end after a second, at a rate that keeps 10,000 of them, and reports the slowest
// hundredth of the steps.
func BenchmarkSetWhileKeysExpire(b *testing.B) {
	c := lone(b)
	const keys = 10_000
	var steps []time.Duration
	i := 0
	for b.Loop() {
		began := time.Now()
		c.Step(c.clock.last.Add(time.Second/keys), Set{Key: fmt.Sprint("key", i%keys), Value: fmt.Sprint(i), TTL: time.Second - time.Second/keys/2})
		c.TakeChanged()
		steps = append(steps, time.Since(began))
		i++
	}
	slices.Sort(steps)
	b.ReportMetric(float64(steps[len(steps)*99/100].Microseconds()), "µs-p99")
	b.ReportMetric(float64(steps[len(steps)-1].Microseconds()), "µs-max")
}
