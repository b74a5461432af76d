package strictyaml

import (
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// resolve follows an alias to what it names.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// Pairs calls f for the keys of a mapping: its own, then those of merge keys (<<), which never
// replace an own one. It reports whether all merge keys were well-formed.
func Pairs(n *yaml.Node, f func(key, value *yaml.Node, own bool)) bool {
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag == "!!merge" {
			merges = append(merges, n.Content[i+1])
			continue
		}
		f(n.Content[i], n.Content[i+1], true)
	}
	for _, m := range merges {
		if !mergePairs(resolve(m), f) {
			return false
		}
	}
	return true
}

func mergePairs(m *yaml.Node, f func(key, value *yaml.Node, own bool)) bool {
	from := []*yaml.Node{m}
	if m.Kind == yaml.SequenceNode {
		from = m.Content
	}
	for _, n := range from {
		n = resolve(n)
		if n.Kind != yaml.MappingNode {
			return false
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			f(n.Content[i], n.Content[i+1], false)
		}
	}
	return true
}

// Child returns the value under a key of a mapping, or at an index of a list, nil if absent.
func Child(n *yaml.Node, step string) *yaml.Node {
	if n == nil {
		return nil
	}
	n = resolve(n)
	var found *yaml.Node
	switch n.Kind {
	case yaml.MappingNode:
		Pairs(n, func(key, value *yaml.Node, _ bool) {
			if found == nil && key.Value == step {
				found = value
			}
		})
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			found = n.Content[i]
		}
	}
	return found
}

// fields are the settable parts of a struct by their YAML names, those of inlined structs included.
type fields struct {
	byName map[string]reflect.Value
	names  []string // in the order of the struct
}

func fieldsOf(v reflect.Value) fields {
	f := fields{byName: make(map[string]reflect.Value, v.NumField())}
	f.collect(v)
	return f
}

func (f *fields) collect(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, inline, skip := fieldName(field)
		switch {
		case skip:
		case inline:
			f.collect(v.Field(i))
		default:
			f.byName[name] = v.Field(i)
			f.names = append(f.names, name)
		}
	}
}

// fieldName reads a yaml tag by the rules of yaml.v3.
func fieldName(f reflect.StructField) (name string, inline, skip bool) {
	tag := f.Tag.Get("yaml")
	if tag == "-" || !f.IsExported() && !f.Anonymous {
		return "", false, true
	}
	name, flags, _ := strings.Cut(tag, ",")
	if strings.Contains(flags, "inline") {
		return "", true, false
	}
	if name == "" {
		name = strings.ToLower(f.Name)
	}
	return name, false, false
}
