package strategy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

type testConfig struct {
	Hosts  []string        `yaml:"hosts"`
	Secret strategy.Secret `yaml:"secret"`

	strategy.PollConfig `yaml:",inline"`
}

func (c testConfig) Validate() error {
	errs := []error{c.PollConfig.Validate()}
	for i, h := range c.Hosts {
		if _, err := peer.Addr(h); err != nil {
			errs = append(errs, strategy.At(fmt.Sprintf("hosts[%d]", i), err))
		}
	}
	return errors.Join(errs...)
}

// testKind makes strategies that never find a peer.
func testKind(name string) strategy.Kind[testConfig] {
	return strategy.Kind[testConfig]{
		Name: name, Doc: "for a test", Default: testConfig{PollConfig: strategy.DefaultPoll()},
		New: func(testConfig, strategy.Env) (strategy.Strategy, error) {
			return strategy.Func(func(ctx context.Context, _ strategy.Sink) error { <-ctx.Done(); return ctx.Err() }), nil
		},
	}
}

func registry(t *testing.T, kinds ...strategy.AnyKind) *strategy.Registry {
	t.Helper()
	r, err := strategy.NewRegistry(kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func node(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Content[0]
}

func TestRegistryRefusesNamesThatAreEmptyOrTaken(t *testing.T) {
	_, err := strategy.NewRegistry(testKind("a"), testKind(""), testKind("a"), nil)
	if err == nil || !strings.Contains(err.Error(), "a strategy is nil") || !strings.Contains(err.Error(), "without a name") || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("NewRegistry = %v, want both mistakes", err)
	}
}

func TestRegistryWithLeavesTheOldOneAlone(t *testing.T) {
	old := registry(t, testKind("b"))
	more, err := old.With(testKind("a"))
	if err != nil {
		t.Fatal(err)
	}
	if got := old.Names(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("the old registry has %v, want b alone", got)
	}
	if got := more.Names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the new registry has %v, want a and b", got)
	}
	if more.Doc("a") != "for a test" || more.Doc("c") != "" {
		t.Errorf("Doc = %q and %q", more.Doc("a"), more.Doc("c"))
	}
}

func TestConfigureDecodesOverTheDefaults(t *testing.T) {
	kind := testKind("a")
	c, err := registry(t, kind).Configure("a", node(t, "hosts: ['10.0.0.1:1']\ninterval: 7s"), strategy.Source{})
	if err != nil {
		t.Fatal(err)
	}
	got, ok := c.Config.(testConfig)
	if !ok || got.Interval != 7*time.Second || got.Timeout != 5*time.Second || len(got.Hosts) != 1 {
		t.Errorf("Config = %+v, want the settings over the defaults", c.Config)
	}
	if kind.Default.Interval != 5*time.Second {
		t.Errorf("the default changed to %v", kind.Default.Interval)
	}
	if c.Node() == nil || c.Kind != "a" {
		t.Errorf("Kind %q, Node %v, want a and the YAML", c.Kind, c.Node())
	}
}

func TestConfigureWithoutYAMLMeansTheDefaults(t *testing.T) {
	c, err := registry(t, testKind("a")).Configure("a", nil, strategy.Source{})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Config.(testConfig).Interval; got != 5*time.Second { //nolint:forcetypeassert // a panic is enough
		t.Errorf("interval = %v, want the default", got)
	}
}

func TestConfigureReportsEveryMistakeAtItsPlace(t *testing.T) {
	text := "hosts:\n  - 10.0.0.1:1\n  - portless\ninterval: 1ms\ntimout: 3s\n"
	_, err := registry(t, testKind("a")).Configure("a", node(t, text), strategy.Source{File: "t.yaml"})
	if err == nil {
		t.Fatal("no error")
	}
	if !strings.Contains(err.Error(), "t.yaml:5:1: ") || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("%q does not place the unknown key and name its neighbour", err)
	}
	_, err = registry(t, testKind("a")).Configure("a", node(t, strings.ReplaceAll(text, "timout", "timeout")), strategy.Source{File: "t.yaml"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"t.yaml:3:5: ", "portless", "t.yaml:4:11: ", "100ms"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

func TestConfigureHintsAtTheNearestStrategy(t *testing.T) {
	_, err := registry(t, testKind("static"), testKind("dns")).Configure("statik", nil, strategy.Source{})
	if err == nil || !strings.Contains(err.Error(), `"statik"`) || !strings.Contains(err.Error(), "static") || !strings.Contains(err.Error(), "dns") {
		t.Errorf("Configure = %v, want the nearest name and all of them", err)
	}
}

func TestConfigureReadsTheEnvironmentThatItIsGiven(t *testing.T) {
	env := func(name string) (string, bool) { return "10.0.0.9:1", name == "PEER" }
	c, err := registry(t, testKind("a")).Configure("a", node(t, "hosts: ['${PEER}']"), strategy.Source{LookupEnv: env})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Config.(testConfig).Hosts; !slices.Equal(got, []string{"10.0.0.9:1"}) { //nolint:forcetypeassert // a panic is enough
		t.Errorf("hosts = %v", got)
	}
}

func TestEqualComparesWhatWasDecoded(t *testing.T) {
	r := registry(t, testKind("a"), testKind("b"))
	configure := func(name, text string) *strategy.Configured {
		c, err := r.Configure(name, node(t, text), strategy.Source{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := configure("a", "interval: 5s")
	for text, want := range map[string]bool{"timeout: 5s": true, "interval: 5000ms": true, "interval: 6s": false} {
		if got := one.Equal(configure("a", text)); got != want {
			t.Errorf("Equal to %q = %t, want %t", text, got, want)
		}
	}
	if one.Equal(configure("b", "interval: 5s")) {
		t.Error("equal to another kind")
	}
}

func TestNewLendsAWholeEnvironment(t *testing.T) {
	kind := testKind("a")
	var got strategy.Env
	kind.New = func(_ testConfig, env strategy.Env) (strategy.Strategy, error) {
		got = env
		return nil, io.ErrUnexpectedEOF
	}
	c, err := registry(t, kind).Configure("a", nil, strategy.Source{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.New(strategy.Env{})
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "strategy a") {
		t.Errorf("New = %v, want the error with the name of the kind", err)
	}
	if got.Log == nil || got.Self == nil || got.Rand == nil || got.Resolver == nil {
		t.Errorf("environment %+v, want no field nil", got)
	}
	if self := got.Self(); len(self) != 0 {
		t.Errorf("Self() = %v, want none", self)
	}
}

func TestPermanentIsSeenThroughWrapping(t *testing.T) {
	cause := errors.New("no multicast here")
	err := fmt.Errorf("run: %w", strategy.Permanent(cause))
	if !strategy.IsPermanent(err) || !errors.Is(err, cause) || !strings.Contains(err.Error(), cause.Error()) {
		t.Errorf("%v: permanent %t, wraps its cause %t", err, strategy.IsPermanent(err), errors.Is(err, cause))
	}
	if strategy.IsPermanent(cause) || strategy.IsPermanent(nil) || strategy.Permanent(nil) != nil {
		t.Error("an error is permanent that was not marked")
	}
}
