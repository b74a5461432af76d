//go:build !linux

package quorum

import "time"

// suspended returns 0: this system has no clock that shows it. The wall clock is then all that does; see core.LeaseClock.
func suspended() time.Duration { return 0 }
