package plan

import "math/bits"

// share is how much of an amount is due to a member: whole + rest/of, with rest < of.
type share struct {
	whole    int
	rest, of uint64
}

// compareRest compares the fractions of two shares. It multiplies crosswise in 128 bits, so that no weights can overflow it.
func (s share) compareRest(o share) int {
	high1, low1 := bits.Mul64(s.rest, o.of)
	high2, low2 := bits.Mul64(o.rest, s.of)
	low, borrow := bits.Sub64(low1, low2, 0)
	high, less := bits.Sub64(high1, high2, borrow)
	switch {
	case less != 0:
		return -1
	case high|low != 0:
		return 1
	}
	return 0
}

// plus adds two shares of one call of divide, whose fractions have one denominator (or are zero).
func (s share) plus(o share) share {
	sum := share{whole: s.whole + o.whole, rest: s.rest + o.rest, of: max(s.of, o.of)}
	if sum.rest >= sum.of {
		sum.rest -= sum.of
		sum.whole++
	}
	return sum
}

// exceeds reports whether a share is more than a whole number.
func (s share) exceeds(n int) bool { return s.whole > n || s.whole == n && s.rest > 0 }

// divide divides an amount by weight among those members of which caps is positive, giving none more than its cap; what a full member
// leaves over is divided among the others again (water filling). An amount above the sum of the caps fills all of them. The
// result is exact and in the order of the members.
func divide(amount int, weights, caps []int) []share {
	shares := make([]share, len(weights))
	open := make([]int, 0, len(weights))
	total := 0
	for m, c := range caps {
		if shares[m].of = 1; c > 0 {
			open = append(open, m)
			total += weights[m]
		}
	}
	for {
		var below []int // members that would not be full
		left, weight := amount, total
		for _, m := range open {
			if amount*weights[m] < caps[m]*total {
				below = append(below, m)
				continue
			}
			shares[m].whole = caps[m]
			left -= caps[m]
			weight -= weights[m]
		}
		if len(below) == len(open) {
			break
		}
		open, amount, total = below, left, weight
	}
	for _, m := range open {
		due := amount * weights[m]
		shares[m] = share{whole: due / total, rest: uint64(due % total), of: uint64(total)}
	}
	return shares
}
