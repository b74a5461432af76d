package strictyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Hint returns what helps after an unknown name: the nearest known one, if any is near, and
// all that are known; "" if none are.
func Hint(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	best, distance := "", 0
	for _, k := range known {
		if d := levenshtein.Distance(clip(strings.ToLower(name)), k, nil); best == "" || d < distance {
			best, distance = k, d
		}
	}
	list := slices.Clone(known)
	slices.Sort(list)
	if distance > max(2, len(best)/3) && !strings.HasSuffix(name, best) && !strings.HasSuffix(best, name) {
		return fmt.Sprintf(" (known: %s)", strings.Join(list, ", "))
	}
	return fmt.Sprintf("; did you mean %q? (known: %s)", best, strings.Join(list, ", "))
}
