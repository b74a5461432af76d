package strategy_test

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/strategy"
)

func TestAFormerNameIsPointedToTheOneOfToday(t *testing.T) {
	kind := testKind("roster")
	kind.FormerNames = []string{"Cluster.Strategy.Epmd"}
	kind.FormerKeys = map[string]string{"polling_interval": "interval", "cookie": "nodes need no cookie; set node.keys"}
	reg := registry(t, kind)
	for _, c := range []struct{ name, config, want string }{
		{"roster", "{polling_interval: 5000}", `t.yaml:1:2: unknown key "polling_interval": it is called interval here`},
		{"roster", "{cookie: x}", `t.yaml:1:2: unknown key "cookie": nodes need no cookie; set node.keys`},
		{"roster", "{interva1: 5s}", `unknown key "interva1"; did you mean "interval"?`},
		{"Cluster.Strategy.Epmd", "{}", `unknown strategy "Cluster.Strategy.Epmd": it is called roster here`},
		{"epmd", "{}", `unknown strategy "epmd": it is called roster here`},
		{":Epmd", "{}", `unknown strategy ":Epmd": it is called roster here`},
		{"rooster", "{}", `unknown strategy "rooster"; did you mean "roster"?`},
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(c.config), &doc); err != nil {
			t.Fatal(err)
		}
		_, err := reg.Configure(c.name, doc.Content[0], strategy.Source{File: "t.yaml"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Configure(%q, %s) = %v, want %q", c.name, c.config, err, c.want)
		}
	}
}

func TestAFormerNameOfTwoKindsIsRefusedAndANameInUseIsNot(t *testing.T) {
	first, second := testKind("first"), testKind("second")
	first.FormerNames, second.FormerNames = []string{"old"}, []string{"old"}
	if _, err := strategy.NewRegistry(first, second); err == nil {
		t.Error("NewRegistry succeeded, want an error: a former name has one successor")
	}
	reg := registry(t, first, testKind("old"))
	if _, err := reg.Configure("old", nil, strategy.Source{File: "t.yaml"}); err != nil {
		t.Errorf("Configure(old) = %v, want the strategy of that name", err)
	}
}
