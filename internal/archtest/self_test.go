package archtest

import (
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// The checks themselves can fail: each of these breaks one.

func TestStrayImportsAreFound(t *testing.T) {
	ours := func(s string) string { return module + "/" + s }
	for _, c := range []struct {
		pkg, imp string
		stray    bool
	}{
		{"peer", "net/netip", false},
		{"peer", ours("strategy"), true},
		{"connector", ours("connector/gossip"), true},
		{"cluster", ours("strategy"), false},
		{"cluster", ours("strategy/static"), true},
		{"cluster", ours("connector/gossip"), true},
		{"cluster", hclog, false},
		{"cluster", memberlist, true},
		{"connector/hashicorp/memberlist", memberlist, false},
		{"agent", ours("strategy/kubernetes"), true},
		{"strategy/builtin", ours("strategy/multicast"), false},
		{"strategy/static", ours("strategy/multicast"), true},
		{"strategy/static", "github.com/anything/else", true},
		{"cluster/internal/reconcile", "sync/atomic", true},
		{"cluster/internal/reconcile", "context", true},
		{"cluster/internal/reconcile", "net", true},
		{"cluster/internal/reconcile", "net/netip", false},
		{"cluster/internal/reconcile", ours("strategy"), true},
		{"cmd/convoke", ours("internal/command"), false},
		{"somewhere/new", "fmt", true},
	} {
		if got := strayImports(c.pkg, []string{c.imp}); (len(got) > 0) != c.stray {
			t.Errorf("strayImports(%s, %s) = %v, want stray: %v", c.pkg, c.imp, got, c.stray)
		}
	}
}

func TestImpuritiesAreFound(t *testing.T) {
	const src = `package p
import ( "time"; clock "time"; "math/rand/v2" )
func f(now time.Time, r *rand.Rand) {
	_ = time.Now()
	_ = clock.Since(now)
	_ = rand.IntN(3)
	_ = r.IntN(3)
	_ = now.Add(time.Second)
	go f(now, r)
}`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range impurities(file) {
		got = append(got, f.what)
	}
	if want := []string{"time.Now", "clock.Since", "rand.IntN", "a go statement"}; !slices.Equal(got, want) {
		t.Errorf("impurities = %q, want %q", got, want)
	}
}

func TestMissingCommentsAreFound(t *testing.T) {
	const src = `package p
type A struct{}
// B is documented.
type B struct{}
func (A) M() {}
func (b *B) N() {}
func (c) hidden() {}
func (c) Exported() {}
type c struct{}
const D = 1
// The group is documented.
const ( E = 1; F = 2 )
var G = 1 // a line comment serves
func H() {}`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range undocumented(file) {
		got = append(got, f.what)
	}
	if want := []string{"A", "M", "N", "D", "H"}; !slices.Equal(got, want) {
		t.Errorf("undocumented = %q, want %q", got, want)
	}
}
