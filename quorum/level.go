package quorum

import (
	"fmt"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Level is what a group promises about the holders of a shard. A guess that needs no quorum at all is not a level of a group: see [Prefer]; the table in the package
// comment compares them.
type Level uint8

const (
	// Exclusive: at most one holder at any instant. When a holder dies, its shards are held again after its lease and at most a second more.
	Exclusive = Level(core.Exclusive)
	// Fenced: at most one holder for each token. When the member of a holder is judged down the next one begins at once, so that for a while
	// both may act: stores must refuse the smaller token.
	Fenced = Level(core.Fenced)
)

// String returns "exclusive" or "fenced".
func (l Level) String() string {
	switch l {
	case Exclusive:
		return "exclusive"
	case Fenced:
		return "fenced"
	}
	return fmt.Sprintf("level %d", uint8(l))
}
