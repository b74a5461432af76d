package exec

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/internal/targets"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

var labels = targets.Options{IDLabel: "name", ZoneLabel: "zone", VersionLabel: "version"}

func TestParseTakesLinesAndJSON(t *testing.T) {
	for name, c := range map[string]struct {
		output string
		port   int
		want   []peer.Peer
	}{
		"nothing is no peer":    {want: []peer.Peer{}},
		"comments are no peer":  {output: "# none\n\n  \r\n", want: []peer.Peer{}},
		"an empty list":         {output: " [ ]\n", want: []peer.Peer{}},
		"lines":                 {output: "10.0.0.2:1\n10.0.0.1:1", want: []peer.Peer{{Addr: "10.0.0.2:1"}, {Addr: "10.0.0.1:1"}}},
		"spaces and comments":   {output: "\ufeff  10.0.0.1:1 # first\r\n", want: []peer.Peer{{Addr: "10.0.0.1:1"}}},
		"one listed twice":      {output: "Node:1\nnode.:1\n", want: []peer.Peer{{Addr: "node:1"}}},
		"IPv6 in brackets":      {output: "[fd00::1]:1\n", want: []peer.Peer{{Addr: "[fd00::1]:1"}}},
		"lines without a port":  {output: "node\nfd00::1\n[fd00::2]\n", port: 7, want: []peer.Peer{{Addr: "node:7"}, {Addr: "[fd00::1]:7"}, {Addr: "[fd00::2]:7"}}},
		"JSON":                  {output: "\n[{\"targets\": [\"10.0.0.1:1\"]}]", want: []peer.Peer{{Addr: "10.0.0.1:1"}}},
		"JSON behind a mark":    {output: "\ufeff[]", want: []peer.Peer{}},
		"the labels in JSON":    {output: `[{"targets":["a:1"],"labels":{"name":"n","zone":"z","version":"v","rack":"r"}}]`, want: []peer.Peer{{Addr: "a:1", ID: "n", Zone: "z", Version: "v", Attrs: "rack=r"}}},
		"the last line unended": {output: "a:1\nb:1", want: []peer.Peer{{Addr: "a:1"}, {Addr: "b:1"}}},
	} {
		got, err := parseOutput([]byte(c.output), c.port, labels)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParseKeepsGoodLinesBesideBadOnes(t *testing.T) {
	for _, c := range []struct {
		output, known, message string
	}{
		{"a:1\nnot a host\nb:1", "a:1 b:1", `line 2: "not a host" is not one host`},
		{"a:1\nb\n", "a:1", `line 2: "b" has no port`},
		{"a:1\n\xff:1\n", "a:1", "line 2: the line is not UTF-8 text"},
		{"a:1\n" + strings.Repeat("x", 2000), "a:1", "line 2: the line is longer than 1024 bytes"},
		{"a:99999\n", "", `port "99999" is not a number in 1..65535`},
		{`[{"targets":["a:1","b"]}]`, "a:1", "group 1, target 2"},
		{`["a:1"]`, "", "group 1"},
		{`{"a": 1}`, "", "want a list of groups"},
		{"[", "", "cut off"},
		{"[1]", "", "line 1"},
		{strings.Repeat("x\n", 15), "", "and 5 more bad lines"},
	} {
		got, err := parseOutput([]byte(c.output), 0, labels)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("parseOutput(%.40q): %v, want %q", c.output, err, c.message)
		}
		if known := strings.Join(strategytest.Addrs(got), " "); known != c.known {
			t.Errorf("parseOutput(%.40q) knows %q, want %q", c.output, known, c.known)
		}
	}
}

func FuzzExecOutput(f *testing.F) {
	for _, s := range []string{"", "10.0.0.1:1\n[fd00::1]:1\nnode # x\n", `[{"targets":["a:1"],"labels":{"zone":"a"}}]`,
		"[]", "[", "{", "[::1]", "\ufeff[{}]", "a:1\nb\n\xff\n", "[\"a\"]", "::ffff:10.0.0.1"} {
		f.Add([]byte(s), 7946)
		f.Add([]byte(s), 0)
	}
	f.Fuzz(func(t *testing.T, output []byte, port int) {
		before := slices.Clone(output)
		peers, err := parseOutput(output, port&0xffff, labels)
		if !slices.Equal(before, output) {
			t.Fatal("the output was written to")
		}
		if err != nil && len(err.Error()) > 20_000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		seen := make(map[string]bool)
		for _, p := range peers {
			if canonical, err := peer.Addr(p.Addr); err != nil || canonical != p.Addr || seen[p.Addr] {
				t.Errorf("address %q: canonical %q, twice %v, %v", p.Addr, canonical, seen[p.Addr], err)
			}
			seen[p.Addr] = true
		}
	})
}
