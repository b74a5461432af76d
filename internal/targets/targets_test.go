package targets

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/peer"
)

var options = Options{IDLabel: "name", ZoneLabel: "zone", VersionLabel: "version"}

var formats = map[string]func([]byte, Options) ([]peer.Peer, error){"JSON": JSON, "YAML": YAML}

func TestLabelsBecomeThePartsOfAPeer(t *testing.T) {
	const text = `[
	{"targets": ["10.0.0.1:7946", "[::ffff:10.0.0.1]:7946", "Node2:7946"], "labels":
		{"zone": "a", "version": "2", "rack": "r1", "env": "live", "__meta": "x", "empty": "", "roles": "a=1,b%"}},
	{"targets": ["10.0.0.3:7946", "10.0.0.1:7946"], "labels": {}},
	{"targets": ["10.0.0.4:7946"], "labels": {"name": "four"}},
	{"targets": [], "labels": null}, {"targets": null}]`
	const attrs = "env=live,rack=r1,roles=a=1%2Cb%25"
	want := []peer.Peer{
		{Addr: "10.0.0.1:7946", Zone: "a", Version: "2", Attrs: attrs},
		{Addr: "node2:7946", Zone: "a", Version: "2", Attrs: attrs},
		{Addr: "10.0.0.3:7946"},
		{Addr: "10.0.0.4:7946", ID: "four"},
	}
	for name, parse := range formats {
		got, err := parse([]byte("\ufeff"+text), options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOneLabelMayServeTwoEndsAndNoOptionMeansAttrs(t *testing.T) {
	const text = `[{"targets": ["a:1"], "labels": {"rack": "r1"}}]`
	for o, want := range map[Options]peer.Peer{
		{ZoneLabel: "rack", VersionLabel: "rack"}: {Addr: "a:1", Zone: "r1", Version: "r1"},
		{}: {Addr: "a:1", Attrs: "rack=r1"},
	} {
		got, err := JSON([]byte(text), o)
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("with %+v: %+v, %v, want %+v", o, got, err, want)
		}
	}
}

func TestYAMLAsPeopleWriteItIsRead(t *testing.T) {
	const text = `# the rack
- targets:
  - 10.0.0.1:7946
  - 'db.test:7946'
  labels: &here
    zone: a
    version: 3
- targets: [ 10.0.0.2:7946 ]
  labels: *here
`
	got, err := YAML([]byte(text), options)
	want := []peer.Peer{
		{Addr: "10.0.0.1:7946", Zone: "a", Version: "3"},
		{Addr: "db.test:7946", Zone: "a", Version: "3"},
		{Addr: "10.0.0.2:7946", Zone: "a", Version: "3"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, peers (-want +got):\n%s", err, diff)
	}
}

func TestAnEmptyListIsAnAnswerAndNoListIsNone(t *testing.T) {
	for name, parse := range formats {
		for _, text := range []string{"[]", " [ ]\n", `[{"targets": []}]`} {
			if got, err := parse([]byte(text), options); err != nil || got == nil || len(got) != 0 {
				t.Errorf("%s of %q: %v, %v, want an empty slice", name, text, got, err)
			}
		}
		for _, text := range []string{
			"", " ", "null", "{}", "x", "1", "[1]", "[null]", "[[]]", "[{}]", `[{"targets": "10.0.0.1:1"}]`, `[{"targets": [`,
			`[{"targets": ["10.0.0.1:1"]}`, `{"targets": []}`, `[{"targets": [null, 1, [], {}]}]`, "[] []", "[]\n---\n[]", "[]]",
			`[{"targets": ["a:1"]}, ]]`, "\x00", "\xff\xfe[",
		} {
			if got, err := parse([]byte(text), options); err == nil || got != nil {
				t.Errorf("%s of %q: %v, %v, want an error alone", name, text, got, err)
			}
		}
	}
}

func TestGoodTargetsAreKeptBesideMistakes(t *testing.T) {
	const good, bad = "10.0.0.1:7946", "10.0.0.2:7946"
	for _, tc := range []struct {
		text, json, yaml string // what the error has
		peers            []string
	}{
		{`[{"targets": ["10.0.0.1:7946",` + "\n" + `"nowhere"]}]`,
			`group 1, target 2: address "nowhere": want host:port`, `line 2: address "nowhere": want host:port`, []string{good}},
		{`[{"targets": ["10.0.0.1:7946"]},` + "\n" + `7]`, "group 2: want {", "line 2: want a group", []string{good}},
		{`[{"targets": ["10.0.0.1:7946"], "lables": {}}]`, `group 1: unknown key "lables"`, `line 1: unknown key "lables"`, []string{good}},
		{`[{"targets": ["10.0.0.1:7946"], "labels": []}]`, `group 1, labels: want {`, `"labels" is not a table`, []string{good}},
		{`[{"targets": ["10.0.0.1:7946"], "labels": {"a,b": "c"}}]`, `label "a,b"`, `label "a,b"`, []string{good}},
		{`[{"targets": ["10.0.0.1:7946"], "labels": {"": "c"}}]`, "has no name", "has no name", []string{good}},
		{`[{"targets": ["10.0.0.1:7946"], "labels": {"a": {}}}]`, `label "a": want`, `label "a": want`, []string{good}},
		{`[{"targets": ["10.0.0.1:7946"], "labels": {"a": "\u0007"}}]`, "cannot be printed", "cannot be printed", []string{good}},
		{`[{"targets": ["10.0.0.1:7946", "10.0.0.2:7946"], "labels": {"name": "n"}}]`,
			`label "name" names one peer and the group has 2 targets`, `label "name" names one peer`, []string{good, bad}},
		{`[{"targets": ["10.0.0.1:7946"]}, {"targets": ["10.0.0.2:7946"], "labels": {"a": "1", "a": "2"}}]`,
			`group 2, labels: the key "a" is there twice`, `label "a" is there twice`, []string{good, bad}},
		{`[{"targets": ["10.0.0.1:7946"]}, {"targets": ["http://10.0.0.2:7946/metrics"]}]`, "group 2, target 1: address", "line 1: address", []string{good}},
	} {
		for name, want := range map[string]string{"JSON": tc.json, "YAML": tc.yaml} {
			got, err := formats[name]([]byte(tc.text), options)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %s: error %v, want one with %q", name, tc.text, err, want)
			}
			var addrs []string
			for _, p := range got {
				addrs = append(addrs, p.Addr)
				if p.ID != "" {
					t.Errorf("%s of %s: %v has an ID", name, tc.text, p)
				}
			}
			if diff := cmp.Diff(tc.peers, addrs); diff != "" && name == "JSON" {
				t.Errorf("%s of %s (-want +got):\n%s", name, tc.text, diff)
			}
		}
	}
}

func TestAMistakeOfSyntaxIsPlaced(t *testing.T) {
	for text, want := range map[string]string{
		"[\n{\"targets\": [\n}]":           "line 3: invalid character '}'",
		"[{\"targets\": [\"10.0.0.1:1\"]}": "cut off",
		"":                                 "empty text",
	} {
		if _, err := JSON([]byte(text), options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("JSON of %q: %v, want %q", text, err, want)
		}
	}
	if _, err := YAML([]byte("- targets:\n  - a:1\n - b"), options); err == nil || !strings.Contains(err.Error(), "line ") {
		t.Errorf("YAML: %v, want a line", err)
	}
}

func TestAThousandMistakesAreReportedInAFewLines(t *testing.T) {
	text := "[" + strings.TrimSuffix(strings.Repeat(`{"targets": ["bad"]},`, 1000), ",") + "]"
	for name, parse := range formats {
		_, err := parse([]byte(text), options)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		if n := strings.Count(err.Error(), "\n"); n != maxMistakes || !strings.Contains(err.Error(), "and 990 more") {
			t.Errorf("%s: %d lines: %v", name, n, err)
		}
	}
}

func TestAListBeyondTheBoundsIsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"size":    {strings.Repeat(" ", MaxBytes) + "[]", "larger than 8388608 bytes"},
		"targets": {`[{"targets": [` + strings.Repeat(`"a:1",`, maxTargets) + `"a:1"]}]`, "more than 100000 targets"},
		"groups":  {"[" + strings.Repeat(`{"targets": []},`, maxGroups) + `{"targets": []}]`, "more than 100000 targets or groups"},
	} {
		got, err := JSON([]byte(tc.text), options)
		if err == nil || got != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %d peers, %v, want %q", name, len(got), err, tc.want)
		}
	}
	var labels strings.Builder
	for i := range maxLabels + 1 {
		fmt.Fprintf(&labels, `, "l%d": "x"`, i)
	}
	for name, tc := range map[string]struct{ labels, want string }{
		"labels": {labels.String()[1:], "more than 64 labels"},
		"name":   {`"` + strings.Repeat("n", maxLabel+1) + `": "x"`, "more than 1024 bytes"},
		"value":  {`"n": "` + strings.Repeat("x", maxLabel+1) + `"`, "more than 1024 bytes"},
	} {
		for format, parse := range formats {
			if format == "YAML" && name == "name" {
				continue // keys in one line have at most 1024 bytes in YAML
			}
			got, err := parse([]byte(`[{"targets": ["a:1"], "labels": {`+tc.labels+`}}]`), options)
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(got) != 1 || got[0] != (peer.Peer{Addr: "a:1"}) {
				t.Errorf("%s, %s: %v, %v, want %q", format, name, got, err, tc.want)
			}
		}
	}
}

func TestAliasesThatNameALotCostNoMoreThanTheBounds(t *testing.T) {
	text := "- targets: &t [" + strings.Repeat("a:1, ", 5000) + "a:1]\n" + strings.Repeat("- targets: *t\n", 100)
	if got, err := YAML([]byte(text), options); err == nil || got != nil {
		t.Errorf("%d peers, %v, want an error alone", len(got), err)
	}
	for _, text := range []string{"&a [*a]", "- &a\n  targets: *a\n", "- targets: &a [*a]", "- targets: [a:1]\n  labels: &l {x: *l}"} {
		if got, err := YAML([]byte(text), options); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func FuzzTargets(f *testing.F) {
	f.Add([]byte(`[{"targets": ["10.0.0.1:7946"], "labels": {"zone": "a", "name": "n"}}]`))
	f.Add([]byte("- targets: [a:1]\n  labels: &x {a: b}\n- labels: *x\n"))
	f.Add([]byte("&a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, parse := range formats {
			peers, err := parse(data, options)
			if err == nil && peers == nil || err != nil && peers != nil && len(peers) == 0 {
				t.Fatalf("%s: %#v with error %v", name, peers, err)
			}
			seen := make(map[string]bool)
			for _, p := range peers {
				if canonical, bad := peer.Addr(p.Addr); bad != nil || canonical != p.Addr || seen[p.Addr] {
					t.Fatalf("%s: address %q is not canonical or there twice: %v", name, p.Addr, bad)
				}
				seen[p.Addr] = true
			}
		}
	})
}
