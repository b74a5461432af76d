package ratelog

import "time"

// Held is what the lines of one kind come to while their pacer holds them back: the newest, and how many there were. The zero value holds
// nothing.
type Held[L any] struct {
	Pacer

	newest      L
	count       int
	first, last time.Time // when the first and the newest of them came
}

// Pass reports whether a line is logged now, and records it. If not, it is for Add.
func (h *Held[L]) Pass(now time.Time) bool {
	if h.count > 0 || now.Before(h.Next()) {
		return false
	}
	h.Passed(now)
	return true
}

// Add holds a line that stands for n, in place of the one before.
func (h *Held[L]) Add(line L, n int, now time.Time) {
	if h.count == 0 {
		h.first = now
	}
	h.newest, h.last = line, now
	h.count += n
}

// Due returns when what is held may be logged; ok is false if nothing is.
func (h *Held[L]) Due() (at time.Time, ok bool) { return h.Next(), h.count > 0 }

// Newest returns when the newest line came.
func (h *Held[L]) Newest() time.Time { return h.last }

// Take returns the newest line, with the pairs to add to it, and records that it is logged.
func (h *Held[L]) Take(now time.Time) (line L, pairs []any) {
	line, pairs = h.newest, Pairs(h.count-1, now.Sub(h.first))
	h.Passed(now)
	var none L
	h.newest, h.count = none, 0
	return line, pairs
}

// shortest is the time below which a line is as good as one of now.
const shortest = 2 * time.Second

// UnloggedKey is the key of how many lines of a kind were not logged since the last one.
const UnloggedKey = "unlogged"

// Pairs returns what a line has of those that it stands for: how many others, and in what time before the line all of them came. What does
// not matter is left out.
func Pairs(unlogged int, within time.Duration) (pairs []any) {
	if unlogged > 0 {
		pairs = append(pairs, UnloggedKey, unlogged)
	}
	if within >= shortest {
		pairs = append(pairs, "within", within.Round(time.Second))
	}
	return pairs
}
