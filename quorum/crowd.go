package quorum

import (
	"fmt"

	"github.com/goconvoke/convoke/gossip"
)

// crowd returns how many members may vote, if they are so many before the birth that two halves of them could each found a quorum; else 0.
func crowd(v *gossip.View, c *Config) int {
	n := 0
	for m := range v.All() {
		if cm, takesPart := coreMember(m); takesPart && cm.Up && cm.Voter != 0 {
			n++
		}
	}
	if c.Birth.expect == 0 || n < 2*c.Birth.expect {
		return 0
	}
	return n
}

// crowdWarning returns the end of a sentence about the founding, "" where there is nothing to warn of.
func crowdWarning(v *gossip.View, c *Config) string {
	n := crowd(v, c)
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d members may vote and the birth expects %d: cut in two, each half could found one; expect more than half of them, or name the founders",
		n, c.Birth.expect)
}

// warnOfCrowd logs it, once in a life.
func (l *life) warnOfCrowd(v *gossip.View) {
	if l.warned {
		return
	}
	if n := crowd(v, &l.q.config); n > 0 {
		l.warned = true
		l.q.log.Warn("more members may vote than the birth of the quorum is safe for: cut in two, each half could found one", "members", n, "expect", l.q.config.Birth.expect)
	}
}
