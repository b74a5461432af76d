package manifest

import (
	"fmt"
	"strings"
)

// printer writes YAML either with the values in it, or as templates of Helm that insert them: the same lines come from the same code.
type printer struct {
	b       strings.Builder
	chart   bool
	counter int // of variables in templates
}

// value is one of the values, or part of one.
type value struct {
	p     *printer
	known any    // unless p writes templates
	expr  string // in templates
}

// field returns a part of a map.
func (v value) field(name string) value {
	m, _ := v.known.(map[string]any)
	return value{v.p, m[name], v.expr + "." + name}
}

// text returns v as a quoted scalar.
func (v value) text() string {
	if v.p.chart {
		return "{{ " + v.expr + " | quote }}"
	}
	return fmt.Sprintf("%q", v.known)
}

// textWith is text with more behind it.
func (v value) textWith(suffix string) string {
	if v.p.chart {
		return fmt.Sprintf("{{ printf %q %s | quote }}", "%s"+suffix, v.expr)
	}
	return fmt.Sprintf("%q", fmt.Sprint(v.known)+suffix)
}

// textOr is text of another value where v is empty.
func (v value) textOr(other value) string {
	switch {
	case v.p.chart:
		return "{{ " + v.expr + " | default " + other.expr + " | quote }}"
	case v.isEmpty():
		return other.text()
	}
	return v.text()
}

// plain returns v, a word, as it is.
func (v value) plain() string {
	if v.p.chart {
		return "{{ " + v.expr + " }}"
	}
	return fmt.Sprint(v.known)
}

// number returns v, an integer: Helm reads numbers as floating point.
func (v value) number() string {
	if v.p.chart {
		return "{{ int " + v.expr + " }}"
	}
	return fmt.Sprint(v.known)
}

// list returns v, a list of words, as they stand between brackets.
func (v value) list() string {
	if v.p.chart {
		return `{{ join ", " ` + v.expr + ` }}`
	}
	var all []string
	items, _ := v.known.([]any)
	for _, item := range items {
		all = append(all, fmt.Sprint(item))
	}
	return strings.Join(all, ", ")
}

// indented returns v, a text of several lines, as a block with an indent.
func (v value) indented(by int) string {
	if v.p.chart {
		return fmt.Sprintf("{{ %s | trim | indent %d }}", v.expr, by)
	}
	pad := strings.Repeat(" ", by)
	return pad + strings.ReplaceAll(strings.TrimSpace(fmt.Sprint(v.known)), "\n", "\n"+pad)
}

// isEmpty is what templates take for false.
func (v value) isEmpty() bool {
	switch k := v.known.(type) {
	case string:
		return k == ""
	case bool:
		return !k
	case int:
		return k == 0
	case []any:
		return len(k) == 0
	}
	return true
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

// when prints what do prints if v is not empty.
func (p *printer) when(v value, do func()) { p.choose(!v.isEmpty(), v.expr, do) }

// unless prints what do prints if v is empty.
func (p *printer) unless(v value, do func()) { p.choose(v.isEmpty(), "not "+v.expr, do) }

// is prints what do prints if v is that word.
func (p *printer) is(v value, word string, do func()) {
	p.choose(v.known == word, fmt.Sprintf("eq %s %q", v.expr, word), do)
}

func (p *printer) choose(holds bool, expr string, do func()) {
	switch {
	case p.chart:
		p.line("{{- if %s }}", expr)
		do()
		p.line("{{- end }}")
	case holds:
		do()
	}
}

// each prints what do prints for each item of v.
func (p *printer) each(v value, do func(item value)) {
	if p.chart {
		p.counter++
		name := fmt.Sprintf("$v%d", p.counter)
		p.line("{{- range %s := %s }}", name, v.expr)
		do(value{p, nil, name})
		p.line("{{- end }}")
		return
	}
	items, _ := v.known.([]any)
	for _, item := range items {
		do(value{p, item, ""})
	}
}
