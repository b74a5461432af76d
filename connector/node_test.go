package connector_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/connector"
)

func key(t *testing.T, b byte) connector.Key {
	t.Helper()
	var k connector.Key
	if err := k.UnmarshalText([]byte(base64.StdEncoding.EncodeToString(append(make([]byte, 31), b)))); err != nil {
		t.Fatal(err)
	}
	return k
}

func node() connector.NodeConfig {
	return connector.NodeConfig{Cluster: "orders", Name: "a", Listen: "0.0.0.0:7946"}
}

func TestANodeIsCheckedWhateverItsConnector(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*connector.NodeConfig)
		want   string // "": valid
	}{
		{"the least", func(*connector.NodeConfig) {}, ""},
		{"no cluster ID", func(n *connector.NodeConfig) { n.Cluster = "" }, "cluster: a cluster ID is required"},
		{"a long cluster ID", func(n *connector.NodeConfig) { n.Cluster = strings.Repeat("x", 256) }, "cluster: 256 bytes"},
		{"no name", func(n *connector.NodeConfig) { n.Name = "" }, "node.name: required"},
		{"no port", func(n *connector.NodeConfig) { n.Listen = "10.0.0.1" }, `node.listen: "10.0.0.1": want host:port`},
		{"a host to advertise", func(n *connector.NodeConfig) { n.Advertise = "a.example.com" }, ""},
		{"an address to advertise that is none", func(n *connector.NodeConfig) { n.Advertise = ":0" }, "node.advertise: "},
		{"an IPv6 host to advertise", func(n *connector.NodeConfig) { n.Advertise = "::1" }, ""},
		{"an IPv6 host in brackets", func(n *connector.NodeConfig) { n.Advertise = "[::1]" }, `node.advertise: "[::1]": want a host, such as`},
		{"a long zone", func(n *connector.NodeConfig) { n.Zone = strings.Repeat("x", 256) }, "node.zone: 256 bytes"},
		{"never", func(n *connector.NodeConfig) { n.ForgetAfter = connector.Never }, ""},
		{"a moment", func(n *connector.NodeConfig) { n.ForgetAfter = connector.Retention(time.Millisecond) }, "node.forget_after: 1ms: want 1s to 240h0m0s, or never"},
		{"half of TLS", func(n *connector.NodeConfig) { n.TLS.Cert = "x" }, "node.tls: cert, key and ca belong together"},
		{"TLS and keys", func(n *connector.NodeConfig) {
			n.TLS, n.Keys = connector.TLS{Cert: "a", Key: "b", CA: "c"}, []connector.Key{key(t, 1)}
		}, "node.keys: node.tls is given too"},
		{"nine keys", func(n *connector.NodeConfig) { n.Keys = make([]connector.Key, 9) }, "node.keys: 9 keys, at most 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := node()
			c.change(&n)
			switch err := n.Validate(); {
			case c.want == "" && err != nil:
				t.Errorf("Validate = %v, want nil", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("Validate = %v, want %q", err, c.want)
			}
		})
	}
}

// optional are the settings that a connector may be unable to honour.
var optional = []connector.Setting{
	connector.SettingZone, connector.SettingVersion, connector.SettingDataDir, connector.SettingForgetAfter,
	connector.SettingTLS, connector.SettingKeys, connector.SettingQuorum, connector.SettingGroups,
}

func TestOneConnectorRefusesWhatIsGivenAndNothingElse(t *testing.T) {
	n := node()
	if err := n.Refuse("x", optional...); err != nil || len(n.Given()) != 0 {
		t.Errorf("a node without optional settings: %v, %v", err, n.Given())
	}
	n.Zone, n.Version, n.DataDir, n.ForgetAfter = "z", "v", "d", connector.Never
	n.TLS, n.Keys, n.Quorum, n.Groups = connector.TLS{Cert: "a"}, []connector.Key{key(t, 1)}, true, true
	if diff := cmp.Diff(optional, n.Given()); diff != "" {
		t.Errorf("given (-want +got)\n%s", diff)
	}
	err := n.Refuse("x", connector.SettingTLS, connector.SettingZone)
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "node.tls: the connector x does not honour") {
		t.Errorf("Refuse = %v, want one error each for node.zone and node.tls", err)
	}
}

func TestEverySettingCountsWhenNodesAreCompared(t *testing.T) {
	for _, change := range []func(*connector.NodeConfig){
		func(n *connector.NodeConfig) { n.Cluster = "x" }, func(n *connector.NodeConfig) { n.Name = "x" },
		func(n *connector.NodeConfig) { n.Listen = "x" }, func(n *connector.NodeConfig) { n.Advertise = "x" },
		func(n *connector.NodeConfig) { n.Zone = "x" }, func(n *connector.NodeConfig) { n.Version = "x" },
		func(n *connector.NodeConfig) { n.DataDir = "x" }, func(n *connector.NodeConfig) { n.ForgetAfter = 1 },
		func(n *connector.NodeConfig) { n.Quorum = true }, func(n *connector.NodeConfig) { n.Groups = true },
		func(n *connector.NodeConfig) { n.TLS.CA = "x" }, func(n *connector.NodeConfig) { n.Keys = []connector.Key{key(t, 1)} },
	} {
		n := node()
		change(&n)
		if n.Equal(node()) || len(n.Differences(node())) != 1 || !n.Equal(n) {
			t.Errorf("%v and %v differ in %v, want one setting", n, node(), n.Differences(node()))
		}
	}
}

func TestHowLongMembersAreKeptIsReadAndWritten(t *testing.T) {
	for text, want := range map[string]connector.Retention{"72h": connector.Retention(72 * time.Hour), "never": connector.Never} {
		var r connector.Retention
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%q = %v, %v, want %v", text, r, err, want)
		}
		again, err := r.MarshalText()
		var back connector.Retention
		if err != nil || back.UnmarshalText(again) != nil || back != r {
			t.Errorf("%q is written as %q, %v", text, again, err)
		}
	}
	for _, text := range []string{"", "0s", "ever", "72"} {
		r := connector.Retention(7)
		if err := r.UnmarshalText([]byte(text)); err == nil || r != 7 {
			t.Errorf("%q = %v, %v, want an error that changes nothing", text, r, err)
		}
	}
}

func TestARegistryRefusesWhatItCannotUse(t *testing.T) {
	ok := connector.Own("a")
	for want, kinds := range map[string][]connector.Kind{
		"a connector without a name":   {{Check: ok.Check}},
		`two connectors are named "a"`: {ok, ok},
		`connector "b" has no Check`:   {ok, {Name: "b"}},
	} {
		if _, err := connector.NewRegistry(kinds...); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("NewRegistry = %v, want %q", err, want)
		}
	}
	r, err := connector.NewRegistry(ok)
	if err != nil {
		t.Fatal(err)
	}
	more, err := r.With(connector.Own("b"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.Names(), more.Names()); got != "[a] [a b]" {
		t.Errorf("names %s, want the first registry unchanged", got)
	}
	if k, found := more.Kind(""); !found || k.Name != "a" {
		t.Errorf("the default is %q, %v, want the first", k.Name, found)
	}
	if _, found := (&connector.Registry{}).Kind(""); found {
		t.Error("an empty registry has a default")
	}
}

func TestFuncsNeedTheirCallbacks(t *testing.T) {
	if err := (connector.Funcs{}).Validate(); err == nil {
		t.Error("Validate of no callbacks = nil")
	}
	if err := (connector.Own("x").Check(node())); err != nil {
		t.Error(errors.Join(errors.New("a connector of callbacks refuses a bare node"), err))
	}
}
