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
	for i := range 3 * maxMessages {
		now := epoch.Add(time.Duration(i) * time.Millisecond)
		if once.Allow(fmt.Sprint(i), now) {
			allowed++
		}
		often.Allow(fmt.Sprint(i), now)
	}
	if allowed != maxMessages+1 || len(once.known) != maxMessages+1 || len(often.known) != 11 {
		t.Errorf("%d of %d messages allowed, %d and %d remembered, want the bound and one for all others",
			allowed, 3*maxMessages, len(once.known), len(often.known))
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

func TestSubjectsOfAKindBeyondTheBoundShareOneEntry(t *testing.T) {
	l, allowed := Limiter{Every: time.Minute, Most: 10}, make(map[string]int)
	for i := range 100 {
		for _, kind := range []string{"refused", "slow"} {
			if _, ok := l.AllowAfter(1, kind, fmt.Sprint("host-", i), epoch); ok {
				allowed[kind]++
			}
		}
	}
	if allowed["refused"] != 6 || allowed["slow"] != 6 || len(l.known) != 12 {
		t.Errorf("allowed %v with %d remembered, want 5 subjects of each kind and one entry for the others", allowed, len(l.known))
	}
}

func TestWhatIsNormalOnceIsAllowedWhenItRepeats(t *testing.T) {
	l, now := Limiter{Every: time.Minute}, epoch
	for range 10 { // twice in a minute is normal
		for range 2 {
			if _, ok := l.AllowAfter(3, "kind", "a", now); ok {
				t.Fatal("two in a minute were allowed")
			}
		}
		now = now.Add(time.Minute)
	}
	for i := range 5 {
		held, ok := l.AllowAfter(3, "kind", "b", now)
		if ok != (i == 2) || ok && held != 2 {
			t.Errorf("call %d: AllowAfter = %d, %t, want the third allowed, with two held back", i+1, held, ok)
		}
	}
}
