package strategytest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/strategy"
)

func checkNamed(tb testing.TB, s Subject) {
	reg, err := strategy.NewRegistry(s.Kind)
	if err != nil {
		tb.Fatalf("the kind cannot be registered: %v", err)
	}
	doc := reg.Doc(reg.Names()[0])
	if strings.TrimSpace(doc) == "" || strings.Contains(doc, "\n") {
		tb.Errorf("Doc = %q, want one line", doc)
	}
}

// unknownKey is a key that no strategy has.
const unknownKey = "no_such_setting_anywhere"

func checkStrict(tb testing.TB, s Subject) {
	src := newSource(tb, s)
	if _, err := decodeConfig(s, src.Config); err != nil {
		tb.Fatalf("the good configuration is refused: %v", err)
	}
	bad := strings.TrimRight(src.Config, " \n") + "\n" + unknownKey + ": 1\n"
	if trimmed := strings.TrimSpace(src.Config); strings.HasPrefix(trimmed, "{") {
		bad = strings.TrimSuffix(trimmed, "}") + ", " + unknownKey + ": 1}"
		bad = strings.Replace(bad, "{, ", "{", 1)
	}
	_, err := decodeConfig(s, bad)
	switch {
	case err == nil:
		tb.Errorf("the unknown key %s is taken, want an error", unknownKey)
	case !strings.Contains(err.Error(), unknownKey):
		tb.Errorf("error %q does not name the unknown key %s", err, unknownKey)
	}
}

func checkNew(tb testing.TB, s Subject) {
	src := newSource(tb, s)
	if src.Break != nil {
		src.Break(errScripted)
	}
	resolver := new(Resolver)
	env := src.Env
	env.Resolver = resolver
	c, err := decodeConfig(s, src.Config)
	if err != nil {
		tb.Fatalf("the good configuration is refused: %v", err)
	}
	synctest.Wait()
	before, began := goroutineStacks(), time.Now()
	for _, e := range []strategy.Env{env, {Resolver: resolver, Topology: "bogus", ClusterID: "bogus"}} {
		if _, err := c.New(e); err != nil {
			tb.Errorf("New without a source: %v; a configuration must be checkable anywhere", err)
		}
	}
	if d := time.Since(began); d > 0 {
		tb.Errorf("New took %v, want no waiting", d)
	}
	synctest.Wait()
	if n := resolver.Lookups(); n > 0 {
		tb.Errorf("New asked the resolver %d times, want no I/O", n)
	}
	if stacks := leakedGoroutines(before); len(stacks) > 0 {
		tb.Errorf("New started %d goroutines:\n%s", len(stacks), strings.Join(stacks, "\n\n"))
	}
}
