package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/goconvoke/convoke/internal/safetext"
	"gopkg.in/yaml.v3"
)

const (
	maxDepth = 64      // nesting of one document
	maxNodes = 200_000 // values visited: bounds what aliases can multiply
	maxQuote = 60      // bytes of text that an error quotes
)

type decoder struct {
	file    string
	lookup  func(string) (string, bool)
	depth   int
	nodes   int
	renamed map[string]string // keys of other software, to those of today or advice
	errs    []error
	bad     map[*yaml.Node]bool // what errs are about
}

func newDecoder(file string, lookup func(string) (string, bool)) *decoder {
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	return &decoder{file: file, lookup: lookup, bad: make(map[*yaml.Node]bool)}
}

func (d *decoder) err() error { return Join(d.errs...) }

func (d *decoder) errorf(n *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, Errorf(d.file, n, format, args...))
	d.bad[n] = true
}

// reflectTarget returns what a pointer points to. Anything else is a mistake of our own.
func reflectTarget(into any) reflect.Value { return reflect.ValueOf(into).Elem() }

var (
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	durationType = reflect.TypeFor[time.Duration]()
	nodeType     = reflect.TypeFor[*yaml.Node]()
)

// value decodes any node into v.
func (d *decoder) value(n *yaml.Node, v reflect.Value) {
	d.nodes++
	if d.depth++; d.depth > maxDepth || d.nodes > maxNodes {
		if d.depth == maxDepth+1 || d.nodes == maxNodes+1 {
			d.errorf(n, "nested too deeply, or too large through aliases")
		}
		d.depth--
		return
	}
	defer func() { d.depth-- }()

	n = resolve(n)
	switch {
	case v.Type() == nodeType:
		v.Set(reflect.ValueOf(n))
	case isNull(n):
		d.errorf(n, "the value is missing; leave the key out to use the default")
	case isScalarType(v.Type()):
		d.scalar(n, v)
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, v.Elem())
	case v.Kind() == reflect.Struct:
		d.object(n, v)
	case v.Kind() == reflect.Map:
		d.table(n, v)
	case v.Kind() == reflect.Slice:
		d.list(n, v)
	default:
		d.errorf(n, "this setting cannot be given in YAML (Go type %s)", v.Type())
	}
}

// object decodes a mapping into a struct.
func (d *decoder) object(n *yaml.Node, v reflect.Value) {
	if !d.want(n, yaml.MappingNode) {
		return
	}
	fields := fieldsOf(v)
	d.pairs(n, func(key, value *yaml.Node) {
		f, known := fields.byName[key.Value]
		if !known {
			d.errorf(key, "unknown key %q%s", safetext.Clip(key.Value, maxQuote), d.advice(key.Value, fields.names))
			return
		}
		d.value(value, f)
	})
}

// advice returns what helps after an unknown key.
func (d *decoder) advice(key string, known []string) string {
	now, ok := d.renamed[key]
	switch {
	case !ok || d.depth > 1:
		return Hint(key, known)
	case slices.Contains(known, now):
		return fmt.Sprintf(": it is called %s here", now)
	}
	return ": " + now
}

// table decodes a mapping into a map with string keys.
func (d *decoder) table(n *yaml.Node, v reflect.Value) {
	if !d.want(n, yaml.MappingNode) {
		return
	}
	m := reflect.MakeMap(v.Type())
	d.pairs(n, func(key, value *yaml.Node) {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(value, e)
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), e)
	})
	v.Set(m)
}

// list decodes a sequence into a slice, which replaces the default.
func (d *decoder) list(n *yaml.Node, v reflect.Value) {
	if !d.want(n, yaml.SequenceNode) {
		return
	}
	s := reflect.MakeSlice(v.Type(), 0, 0)
	for _, item := range n.Content {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(item, e)
		s = reflect.Append(s, e)
	}
	v.Set(s)
}

// pairs calls f for each key of a mapping, merged ones (<<) last, and reports duplicates.
func (d *decoder) pairs(n *yaml.Node, f func(key, value *yaml.Node)) {
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	merged := Pairs(n, func(key, value *yaml.Node, own bool) {
		switch first := seen[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.errorf(key, "a key must be plain text")
		case first == nil:
			seen[key.Value] = key
			f(key, value)
		case own:
			d.errorf(key, "duplicate key %q (first at line %d)", safetext.Clip(key.Value, maxQuote), first.Line)
		}
	})
	if !merged {
		d.errorf(n, "a merge key (<<) needs a mapping or a list of mappings")
	}
}

// want reports a node of another shape than needed.
func (d *decoder) want(n *yaml.Node, kind yaml.Kind) bool {
	if n.Kind == kind {
		return true
	}
	d.errorf(n, "want %s, found %s", shapes[kind], shapes[n.Kind])
	return false
}

var shapes = map[yaml.Kind]string{
	yaml.MappingNode:  "a mapping (key: value)",
	yaml.SequenceNode: "a list",
	yaml.ScalarNode:   "a single value",
}

func isScalarType(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(textType) || t == durationType {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

// scalar decodes a single value. What its errors show is the text of the file, in which a
// variable is still a name, and nothing at all for types that hide themselves.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value) {
	if !d.want(n, yaml.ScalarNode) {
		return
	}
	text, err := expand(n.Value, d.lookup)
	if err != nil {
		d.errorf(n, "%v", err)
		return
	}
	if err := setScalar(text, v); err != nil {
		if _, secret := v.Interface().(fmt.Stringer); secret && v.Type() != durationType {
			d.errorf(n, "%v", err)
			return
		}
		d.errorf(n, "%q: %v", safetext.Clip(n.Value, maxQuote), err)
	}
}

// setScalar converts text to the type of v. Its own errors do not quote the text.
func setScalar(text string, v reflect.Value) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	if v.Type() == durationType {
		parsed, err := time.ParseDuration(text)
		if err != nil {
			return errors.New(`want a duration with its unit, such as "5s" or "1m30s"`)
		}
		v.SetInt(int64(parsed))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("want true or false")
		}
		v.SetBool(text == "true")
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil {
			return errors.New("want a number")
		}
		v.SetFloat(f)
	default:
		return setInteger(text, v)
	}
	return nil
}

func setInteger(text string, v reflect.Value) error {
	bits := v.Type().Bits()
	if v.CanInt() {
		i, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return fmt.Errorf("want a whole number of at most %d bits", bits)
		}
		v.SetInt(i)
		return nil
	}
	u, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return fmt.Errorf("want a whole number from 0 to %d", uint64(1)<<bits-1)
	}
	v.SetUint(u)
	return nil
}
