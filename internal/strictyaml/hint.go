package strictyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/goconvoke/convoke/internal/safetext"
)

// Hint returns what helps after an unknown name: the nearest known one, if any is near, and
// all that are known; "" if none are.
func Hint(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	best, distance := "", 0
	for _, k := range known {
		if d := levenshtein.Distance(safetext.Clip(strings.ToLower(name), maxQuote), k, nil); best == "" || d < distance {
			best, distance = k, d
		}
	}
	if distance > max(2, len(best)/3) && !strings.HasSuffix(name, best) && !strings.HasSuffix(best, name) {
		return Known(known)
	}
	return fmt.Sprintf("; did you mean %q?%s", best, Known(known))
}

// Known lists names in brackets, sorted.
func Known(names []string) string {
	list := slices.Clone(names)
	slices.Sort(list)
	return fmt.Sprintf(" (known: %s)", strings.Join(list, ", "))
}
