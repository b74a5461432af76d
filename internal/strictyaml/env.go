package strictyaml

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goconvoke/convoke/internal/safetext"
)

// expand replaces ${NAME} and ${NAME:-default} by the environment's value; $${ stands for ${.
// The result is always text of one value: it is never read as YAML again.
func expand(text string, lookup func(string) (string, bool)) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String(), nil
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(escaped + "${")
			text = rest
			continue
		}
		b.WriteString(before)
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", errors.New(`"${" without "}"; write $${ for a literal ${`)
		}
		value, err := variable(inner, lookup)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		text = after
	}
}

func variable(inner string, lookup func(string) (string, bool)) (string, error) {
	name, fallback, hasFallback := strings.Cut(inner, ":-")
	if !validName(name) {
		return "", fmt.Errorf("${%s}: not the name of an environment variable", safetext.Clip(inner, maxQuote))
	}
	value, set := lookup(name)
	switch {
	case hasFallback && value == "":
		return fallback, nil
	case !set:
		return "", fmt.Errorf("environment variable %s is not set; write ${%s:-default} to give a default", name, name)
	}
	return value, nil
}

// variables returns the names in a text that expand would look up.
func variables(text string) []string {
	var names []string
	_, _ = expand(text, func(name string) (string, bool) {
		names = append(names, name)
		return "x", true
	})
	return names
}

func validName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
