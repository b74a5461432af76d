package strictyaml

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type inner struct {
	Level int `yaml:"level"`
}

type level string

func (l *level) UnmarshalText(text []byte) error {
	if string(text) != "high" && string(text) != "low" {
		return errors.New("want high or low")
	}
	*l = level(text)
	return nil
}

type everything struct {
	inner  `yaml:",inline"`
	Text   string            `yaml:"text"`
	Yes    bool              `yaml:"yes"`
	Small  uint8             `yaml:"small"`
	Ratio  float64           `yaml:"ratio"`
	Wait   time.Duration     `yaml:"wait"`
	List   []inner           `yaml:"list"`
	Table  map[string]string `yaml:"table"`
	Maybe  *inner            `yaml:"maybe"`
	Volume level             `yaml:"volume"`
	Hidden string            `yaml:"-"`
	Plain  string
}

func (e *everything) Validate() error {
	if e.Text == "invalid" {
		return errors.Join(At("text", errors.New("not this one")), At("list[1].level", errors.New("nor this")), errors.New("at all"))
	}
	return nil
}

func decode(t *testing.T, text string) (everything, error) {
	t.Helper()
	n, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e := everything{Wait: time.Minute, Plain: "kept"}
	env := func(name string) (string, bool) { return "from " + name, name == "SET" || name == "EMPTY" && false }
	err = Decode(n, &e, "f", env, nil)
	return e, err
}

func TestDecodesEveryKindOfValueOverTheDefaults(t *testing.T) {
	got, err := decode(t, `
level: 7
text: 12:30
yes: true
small: 255
ratio: 0.5
list: [{level: 1}, {level: -2}]
table: {b: x, "a c": "${SET}"}
maybe: {level: 3}
volume: low
`)
	if err != nil {
		t.Fatal(err)
	}
	want := everything{
		Text: "12:30", Yes: true, Small: 255, Ratio: 0.5, Wait: time.Minute, Plain: "kept",
		List: []inner{{1}, {-2}}, Table: map[string]string{"b": "x", "a c": "from SET"}, Maybe: &inner{3}, Volume: "low",
	}
	want.Level = 7
	if d := cmp.Diff(want, got, cmp.AllowUnexported(everything{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestMistakesOfValues(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"small: 256", `f:1:8: "256": want a whole number from 0 to 255`},
		{"small: -1", `f:1:8: "-1": want a whole number from 0 to 255`},
		{"level: 1.5", `f:1:8: "1.5": want a whole number of at most 64 bits`},
		{"yes: yes", `f:1:6: "yes": want true or false`},
		{"ratio: much", `f:1:8: "much": want a number`},
		{"wait: 5", `f:1:7: "5": want a duration with its unit, such as "5s" or "1m30s"`},
		{"volume: loud", `f:1:9: "loud": want high or low`},
		{"text: [a]", `f:1:7: want a single value, found a list`},
		{"list: {a: 1}", `f:1:7: want a list, found a mapping (key: value)`},
		{"table: x", `f:1:8: want a mapping (key: value), found a single value`},
		{"text:", `f:1:6: the value is missing; leave the key out to use the default`},
		{"list: [{lvel: 1}]", `f:1:9: unknown key "lvel"; did you mean "level"? (known: level)`},
		{"hidden: x", `f:1:1: unknown key "hidden"`},
		{"text: a\ntext: b", `f:2:1: duplicate key "text" (first at line 1)`},
		{"? [a]\n: b", `f:1:3: a key must be plain text`},
		{"<<: 5", `f:1:1: a merge key (<<) needs a mapping or a list of mappings`},
		{"text: ${UNSET}", `f:1:7: environment variable UNSET is not set; write ${UNSET:-default} to give a default`},
		{"text: ${SET", `f:1:7: "${" without "}"; write $${ for a literal ${`},
		{"text: ${S-T}", `f:1:7: ${S-T}: not the name of an environment variable`},
		{"wait: ${SET}", `f:1:7: "${SET}": want a duration`},
		{"text: invalid", "f:1:1: list[1].level: nor this\nf:1:1: at all\nf:1:7: text: not this one"},
		{"text: invalid\nlist: [{level: 1}, {level: x}]", "f:1:1: at all\nf:1:7: text: not this one\nf:2:28: \"x\": want a whole number"},
	} {
		if _, err := decode(t, c.text); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: error\n%v\nwant\n%s", c.text, err, c.want)
		}
	}
}

func TestVariablesAreTextOfOneValue(t *testing.T) {
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "x: [y", "E": ""}[name]
		return v, ok
	}
	for in, want := range map[string]string{
		"${A}": "x: [y", "a${A}b${A}": "ax: [ybx: [y", "$${A}": "${A}", "$": "$", "$A": "$A",
		"${E}": "", "${E:-d}": "d", "${N:-}": "", "${N:-a:-b}": "a:-b",
	} {
		if got, err := expand(in, lookup); err != nil || got != want {
			t.Errorf("expand(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestAliasesCannotMultiplyWithoutBound(t *testing.T) {
	var b strings.Builder
	b.WriteString("text: x\nlist: &a0 [{level: 1}]\ntable:\n  k: &b0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "  k%d: &b%d [*b%d,*b%d,*b%d,*b%d,*b%d,*b%d]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	var target struct {
		Table map[string][][][][][][][][][][][]string `yaml:"table"`
		Text  string                                  `yaml:"text"`
		List  []inner                                 `yaml:"list"`
	}
	n, err := Parse("f", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if err = Decode(n, &target, "f", nil, nil); err == nil || !strings.Contains(err.Error(), "too large through aliases") {
		t.Errorf("six to the power of eleven values: %.200v", err)
	}
	n, err = Parse("f", []byte("maybe: &m\n  maybe: *m\n"))
	if err != nil {
		t.Fatal(err)
	}
	type loop struct {
		Maybe *loop `yaml:"maybe"`
	}
	if err = Decode(n, new(loop), "f", nil, nil); err == nil || !strings.Contains(err.Error(), "nested too deeply") {
		t.Errorf("a value inside itself: %v", err)
	}
}

func TestHintsNameOnlyWhatIsNear(t *testing.T) {
	known := []string{"static", "multicast", "hostsfile"}
	for name, want := range map[string]string{
		"statik":     `; did you mean "static"? (known: hostsfile, multicast, static)`,
		"hosts_file": `; did you mean "hostsfile"?`,
		"consul":     " (known: hostsfile, multicast, static)",
	} {
		if got := Hint(name, known); !strings.HasPrefix(got, want) {
			t.Errorf("Hint(%q) = %q, want %q", name, got, want)
		}
	}
	if got := Hint("x", nil); got != "" {
		t.Errorf("Hint without names = %q", got)
	}
}

func TestEverySyntaxErrorHasItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"a: b: c":                 "f:1: mapping values are not allowed",
		"a: 1\nb: c: d":           "f:2: mapping values are not allowed",
		"\x00":                    "f:1: control characters are not allowed",
		"a: 1\nb: 2\nc: \x00\n":   "f:3: control characters are not allowed",
		"a: 1\nb: \"\xff\xfe\"\n": "f:2: ",
	} {
		if _, err := Parse("f", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want %q", text, err, want)
		}
	}
}
