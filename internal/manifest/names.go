package manifest

import (
	"errors"
	"regexp"
	"strings"
)

var (
	validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	unnamable = regexp.MustCompile(`[^a-z0-9]+`)
)

// objectName makes a name that Kubernetes takes.
func objectName(s string) string {
	s = unnamable.ReplaceAllString(strings.ToLower(s), "-")
	return strings.Trim(s[:min(len(s), 63)], "-")
}

// equalityLabels takes a selector apart that consists of a=b alone: these are labels one can set.
func equalityLabels(selector string) ([]Label, error) {
	all := []Label{}
	if selector == "" {
		return all, nil
	}
	for term := range strings.SplitSeq(selector, ",") {
		key, value, ok := strings.Cut(term, "=")
		if !ok || strings.ContainsAny(key, "! ()") {
			return nil, errors.New("it is more than key=value,…; name the Service in its configuration")
		}
		all = append(all, Label{key, strings.TrimPrefix(value, "=")})
	}
	return all, nil
}
