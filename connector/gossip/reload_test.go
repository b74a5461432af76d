package gossip

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip/transport"
)

// keyed returns a node with these keys.
func keyed(t *testing.T, keys ...byte) connector.NodeConfig {
	t.Helper()
	n := connector.DefaultNode()
	n.Cluster, n.Name, n.Listen = "test", "n", "127.0.0.1:0"
	for _, b := range keys {
		var k connector.Key
		text := map[byte]string{1: strings.Repeat("A", 43) + "=", 2: strings.Repeat("B", 42) + "A="}[b]
		if err := k.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		n.Keys = append(n.Keys, k)
	}
	return n
}

func TestKeysAreReloadedAndPlainTextIsNot(t *testing.T) {
	made, err := Kind.New(keyed(t, 1), connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*Connector)
	use := []connector.Setting{connector.SettingKeys}
	for _, step := range []struct {
		keys []byte
		want []connector.Setting
		ids  int
	}{{[]byte{1}, use, 1}, {[]byte{1, 2}, use, 2}, {[]byte{2, 1}, use, 2}, {[]byte{2}, use, 1}, {nil, nil, 1}} {
		n := keyed(t, step.keys...)
		got, err := c.Reload(n)
		if err != nil || !slices.Equal(got, step.want) {
			t.Errorf("Reload with keys %v = %v, %v, want %v", step.keys, got, err, step.want)
		}
		if ids := c.psk.SecurityState().KeyIDs; len(ids) != step.ids {
			t.Errorf("after keys %v the IDs in use are %v", step.keys, ids)
		}
	}
	if second := keyed(t, 2); !slices.Equal(c.NodeConfig().Keys, second.Keys) {
		t.Error("NodeConfig has other keys than those in use")
	}
	plain, err := Kind.New(keyed(t), connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := plain.(*Connector).Reload(keyed(t, 1)); err != nil || len(got) != 0 {
		t.Errorf("a node in plain text takes over %v, %v", got, err)
	}
}

func TestARunningNodeDialsWithTheKeysOfTheReload(t *testing.T) {
	made, err := Kind.New(keyed(t, 1), connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*Connector)
	if _, err := c.Reload(keyed(t, 2)); err != nil {
		t.Fatal(err)
	}
	other, err := transport.NewPSK(slices.Clone(keyed(t, 2).KeyBytes()[0]))
	if err != nil {
		t.Fatal(err)
	}
	mine := c.config.Transport.(transport.TCP).Security.(*transport.PSK).SecurityState().KeyIDs
	if theirs := other.SecurityState().KeyIDs; !slices.Equal(mine, theirs) || bytes.Equal(keyed(t, 1).KeyBytes()[0], keyed(t, 2).KeyBytes()[0]) {
		t.Errorf("IDs %v, those of the new key are %v", mine, theirs)
	}
}
