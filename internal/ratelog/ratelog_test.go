package ratelog

import (
	"fmt"
	"testing"
	"time"
)

var epoch = time.Unix(1_000_000, 0)

func TestAMessageIsAllowedOnceAndAgainAfterItsTime(t *testing.T) {
	var once Limiter
	often := Limiter{Every: time.Minute}
	for _, c := range []struct {
		after       time.Duration
		key         string
		once, often bool
	}{
		{0, "a", true, true},
		{time.Second, "a", false, false},
		{time.Second, "b", true, true},
		{59 * time.Second, "a", false, false},
		{time.Minute, "a", false, true},
		{90 * time.Second, "a", false, false},
	} {
		now := epoch.Add(c.after)
		if got := once.Allow(c.key, now); got != c.once {
			t.Errorf("once: Allow(%q) after %v = %t", c.key, c.after, got)
		}
		if got := often.Allow(c.key, now); got != c.often {
			t.Errorf("every minute: Allow(%q) after %v = %t", c.key, c.after, got)
		}
	}
}

func TestMessagesBeyondTheBoundCountAsOne(t *testing.T) {
	once, often := Limiter{}, Limiter{Every: time.Minute, Most: 10}
	allowed := 0
	for i := range 3 * maxKeys {
		now := epoch.Add(time.Duration(i) * time.Millisecond)
		if once.Allow(fmt.Sprint(i), now) {
			allowed++
		}
		often.Allow(fmt.Sprint(i), now)
	}
	if allowed != maxKeys+1 || len(once.known) != maxKeys+1 || len(often.known) != 11 {
		t.Errorf("%d of %d messages allowed, %d and %d remembered, want the bound and one for all others",
			allowed, 3*maxKeys, len(once.known), len(often.known))
	}
	if !often.Allow("new", epoch.Add(time.Hour)) || len(often.known) != 1 {
		t.Errorf("%d messages are remembered after all are due again, want the new one", len(often.known))
	}
}

func TestWhatWasHeldBackIsCounted(t *testing.T) {
	l := Limiter{Every: time.Minute}
	for i := range 5 {
		l.Allow("a", epoch.Add(time.Duration(i)*time.Second))
	}
	for _, want := range []int{4, 0} {
		epoch := epoch.Add(time.Duration(2-min(want, 1)) * time.Hour)
		if held, ok := l.AllowCount("a", epoch); !ok || held != want {
			t.Errorf("AllowCount = %d, %t, want %d", held, ok, want)
		}
	}
}
