package kubernetes

import (
	"fmt"
	"strings"
)

// idTemplate makes the ID of a peer. Its placeholders are few and its own: text/template calls methods by
// name, which keeps every method of a program from being left out by the linker.
type idTemplate []segment

// segment is literal text, or a placeholder.
type segment struct {
	text  string
	field string // "" for literal text
	label string // of field "label"
}

var placeholders = []string{"name", "namespace", "ip", "zone", "node", "label:KEY"}

func parseTemplate(s string) (idTemplate, error) {
	var t idTemplate
	for s != "" {
		text, rest, found := strings.Cut(s, "{")
		if strings.Contains(text, "}") {
			return nil, fmt.Errorf("a } without its {")
		}
		if text != "" {
			t = append(t, segment{text: text})
		}
		if !found {
			break
		}
		inside, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("a { without its }")
		}
		p, err := parsePlaceholder(inside)
		if err != nil {
			return nil, err
		}
		t, s = append(t, p), after
	}
	return t, nil
}

func parsePlaceholder(s string) (segment, error) {
	if key, ok := strings.CutPrefix(s, "label:"); ok && key != "" {
		return segment{field: "label", label: key}, nil
	}
	for _, known := range placeholders[:len(placeholders)-1] {
		if s == known {
			return segment{field: s}, nil
		}
	}
	return segment{}, fmt.Errorf("{%s} is unknown; want some of {%s}", s, strings.Join(placeholders, "}, {"))
}

// expand returns the text for a candidate, "" if one of the placeholders has no value: what is left
// would not be unique.
func (t idTemplate) expand(c *candidate) string {
	var b strings.Builder
	for _, p := range t {
		if p.field == "" {
			b.WriteString(p.text)
			continue
		}
		v := c.placeholderValue(p)
		if v == "" {
			return ""
		}
		b.WriteString(v)
	}
	return b.String()
}

func (c *candidate) placeholderValue(p segment) string {
	switch p.field {
	case "name":
		return c.name
	case "namespace":
		return c.namespace
	case "zone":
		return c.zone
	case "node":
		return c.node
	case "label":
		return c.labels[p.label]
	default:
		return c.ip
	}
}
