package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Error is one mistake at its place.
type Error struct {
	File      string
	Line, Col int // from 1; 0 when unknown
	Msg       string
}

// Error returns "file:line:col: message", without the parts that are unknown.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Col > 0 {
			fmt.Fprintf(&b, ":%d", e.Col)
		}
	}
	b.WriteString(": ")
	b.WriteString(e.Msg)
	return b.String()
}

// Errorf returns a mistake at a node; a nil node means the file as a whole.
func Errorf(file string, n *yaml.Node, format string, args ...any) *Error {
	e := &Error{File: file, Msg: fmt.Sprintf(format, args...)}
	if n != nil {
		e.Line, e.Col = n.Line, n.Column
	}
	return e
}

// Join returns the mistakes of all errors in the order of the file, nil if there are none.
func Join(errs ...error) error {
	var all []error
	for _, err := range errs {
		all = append(all, flatten(err)...)
	}
	slices.SortStableFunc(all, func(a, b error) int {
		var x, y *Error
		if !errors.As(a, &x) || !errors.As(b, &y) {
			return 0
		}
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col))
	})
	return errors.Join(all...)
}

// At places an error at a key of the value that is validated: "interval", "hosts[2]",
// "tls.cert". Each error that err joins is placed there. It returns nil for a nil error.
func At(key string, err error) error {
	var placed []error
	for _, e := range flatten(err) {
		placed = append(placed, &keyError{key, e})
	}
	return errors.Join(placed...)
}

type keyError struct {
	key string
	err error
}

func (e *keyError) Error() string { return e.key + ": " + e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

// flatten returns the errors that err joins, at any depth.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// Place places what err joins in n, at the place that [At] names, as mistakes of the file. It returns nil for a nil error. Without a file the
// error is returned as it is.
func Place(n *yaml.Node, file string, err error) error {
	if file == "" || err == nil {
		return err
	}
	var all []error
	for _, e := range flatten(err) {
		all = append(all, Errorf(file, last(pathTo(n, e)), "%v", e))
	}
	return Join(all...)
}
