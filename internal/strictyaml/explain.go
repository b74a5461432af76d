package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Setting is one effective value of a configuration.
type Setting struct {
	Key    string `json:"key"`    // "topologies.lab.config.hosts[0]"
	Value  string `json:"value"`  // as text; secrets are hidden
	Origin string `json:"origin"` // "default", "file:line:col", "file:line:col from ${NAME}"
}

// Explain lists the values of a decoded struct and where each came from; n is the node it was
// decoded from, or nil.
func Explain(prefix string, v any, n *yaml.Node, file string) []Setting {
	e := explainer{file: file}
	e.value(prefix, reflect.ValueOf(v), n)
	return e.settings
}

type explainer struct {
	file     string
	settings []Setting
}

func (e *explainer) value(key string, v reflect.Value, n *yaml.Node) {
	switch {
	case isScalarType(v.Type()):
		e.add(key, textOf(v), n)
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() && v.Type() != nodeType {
			e.value(key, v.Elem(), n)
		}
	case v.Kind() == reflect.Struct:
		f := fieldsOf(v)
		for _, name := range f.names {
			e.value(join(key, name), f.byName[name], Child(n, name))
		}
	case v.Kind() == reflect.Slice && v.Len() > 0:
		for i := range v.Len() {
			e.value(fmt.Sprintf("%s[%d]", key, i), v.Index(i), Child(n, fmt.Sprint(i)))
		}
	case v.Kind() == reflect.Map && v.Len() > 0:
		for _, k := range slices.Sorted(slices.Values(mapKeys(v))) {
			e.value(join(key, k), v.MapIndex(reflect.ValueOf(k).Convert(v.Type().Key())), Child(n, k))
		}
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Map:
		e.add(key, "(none)", n)
	}
}

func (e *explainer) add(key, value string, n *yaml.Node) {
	e.settings = append(e.settings, Setting{key, value, e.origin(n)})
}

func (e *explainer) origin(n *yaml.Node) string {
	if n == nil {
		return "default"
	}
	at := fmt.Sprintf("%s:%d:%d", e.file, n.Line, n.Column)
	if names := variables(resolve(n).Value); len(names) > 0 {
		return at + " from ${" + strings.Join(names, "}, ${") + "}"
	}
	return at
}

// textOf writes a value as YAML would read it again; types that hide themselves stay hidden.
func textOf(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return "(" + err.Error() + ")"
		}
		return string(text)
	case string:
		return x
	}
	return fmt.Sprint(v.Interface())
}

func mapKeys(v reflect.Value) []string {
	var keys []string
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	return keys
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
