// Package strictyaml decodes YAML strictly and reports every mistake at its place.
//
// yaml.v3 forgets strictness inside [yaml.Node.Decode], stops at the first mistake of a
// value's own decoder, prints values (secrets too) in its errors, and gives no columns. So the walk over
// mappings, lists and scalars is done here; yaml.v3 parses.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// MaxSize is the largest document that is read, in bytes.
const MaxSize = 4 << 20

// Parse returns the root of the one document in text; an empty document has a nil root.
// A syntax error is reported as "file:line: message".
func Parse(file string, text []byte) (*yaml.Node, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("%s: larger than %d bytes", file, MaxSize)
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, syntaxError(file, text, err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return nil, &Error{File: file, Line: second.Line, Col: second.Column, Msg: "a second document; only one is read"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(file, text, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxError moves the line out of yaml.v3's message to where editors look for it. yaml.v3 gives no line for the first one, nor for
// bytes that no text has.
func syntaxError(file string, text []byte, err error) error {
	msg := err.Error()
	m := yamlLine.FindStringSubmatch(msg)
	if m == nil {
		return fmt.Errorf("%s: %s", file, msg)
	}
	line, _ := strconv.Atoi(m[1])
	if line == 0 {
		line = 1 + bytes.Count(text[:max(0, notText(text))], []byte("\n"))
	}
	return &Error{File: file, Line: line, Msg: msg[len(m[0]):]}
}

// notText returns the index of the first byte that is not part of a text: a control character, or not UTF-8; -1 if there is none.
func notText(text []byte) int {
	return bytes.IndexFunc(text, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r)
	})
}

// Decode decodes n over the struct that into points to; a nil n leaves it as it is. Then,
// if it has a method Validate() error, that is called. lookupEnv resolves ${NAME} in values;
// at is where mistakes are placed that n has no place for.
//
// All mistakes are reported, joined, one [*Error] each: unknown and duplicate keys, missing values,
// values of another type, unset variables, and what Validate placed with [At].
func Decode(n *yaml.Node, into any, file string, lookupEnv func(string) (string, bool), at *yaml.Node) error {
	return DecodeRenamed(n, into, file, lookupEnv, at, nil)
}

// DecodeRenamed is [Decode] with keys of other software: renamed has for each the key that it is called here or, where
// there is none, what to do instead. Such a key is unknown all the same; the error has the advice.
func DecodeRenamed(n *yaml.Node, into any, file string, lookupEnv func(string) (string, bool), at *yaml.Node, renamed map[string]string) error {
	d := newDecoder(file, lookupEnv)
	d.renamed = renamed
	if n != nil {
		d.value(n, reflectTarget(into))
	}
	if n == nil {
		n = at
	}
	d.validate(n, into)
	return d.err()
}

// validate calls Validate, if there is one, and places its errors. Those about a value that
// could not even be decoded are left out: they would speak of its default.
func (d *decoder) validate(n *yaml.Node, into any) {
	v, ok := into.(interface{ Validate() error })
	if !ok {
		return
	}
	for _, err := range flatten(v.Validate()) {
		path := pathTo(n, err)
		if slices.ContainsFunc(path, func(n *yaml.Node) bool { return d.bad[n] }) {
			continue
		}
		d.errs = append(d.errs, Errorf(d.file, last(path), "%v", err))
	}
}

// Warnings places what err joins in n, at the places of [At], and marks each as a warning. It returns nil for a nil error.
func Warnings(n *yaml.Node, file string, err error) error {
	var all []error
	for _, e := range flatten(err) {
		all = append(all, Errorf(file, last(pathTo(n, e)), "warning: %v", e))
	}
	return errors.Join(all...)
}

func last(path []*yaml.Node) *yaml.Node {
	if len(path) == 0 {
		return nil
	}
	return path[len(path)-1]
}

// pathTo returns the values from n down to the key that an error names, as far as they exist.
func pathTo(n *yaml.Node, err error) []*yaml.Node {
	var k *keyError
	if n == nil {
		return nil
	}
	path := []*yaml.Node{n}
	if !errors.As(err, &k) {
		return path
	}
	for _, step := range strings.FieldsFunc(k.key, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if n = Child(n, step); n == nil {
			break
		}
		path = append(path, n)
	}
	return path
}
