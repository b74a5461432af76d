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

func TestTheNumberOfKeysIsBounded(t *testing.T) {
	var once Limiter
	often := Limiter{Every: time.Minute}
	allowed := 0
	for i := range 3 * maxKeys {
		now := epoch.Add(time.Duration(i) * time.Millisecond)
		if once.Allow(fmt.Sprint(i), now) {
			allowed++
		}
		often.Allow(fmt.Sprint(i), now)
	}
	if allowed != maxKeys || len(once.allowed) != maxKeys || len(often.allowed) != maxKeys {
		t.Errorf("%d of %d keys allowed, %d and %d remembered, want %d", allowed, 3*maxKeys, len(once.allowed), len(often.allowed), maxKeys)
	}
	if !often.Allow("new", epoch.Add(time.Hour)) {
		t.Error("no new key is allowed after the old ones are due again")
	}
}
