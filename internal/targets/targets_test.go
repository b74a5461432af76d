package targets

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/peer"
)

var options = Options{IDLabel: "name", ZoneLabel: "zone", VersionLabel: "version"}

func TestLabelsBecomeThePartsOfAPeer(t *testing.T) {
	const text = `[
	{"targets": ["10.0.0.1:7946", "[::ffff:10.0.0.1]:7946", "Node2:7946"], "labels":
		{"zone": "a", "version": "2", "rack": "r1", "env": "live", "__meta": "x", "empty": ""}},
	{"targets": ["10.0.0.3:7946"], "labels": {"name": "three"}},
	{"targets": []}, {}]`
	want := []peer.Peer{
		{Addr: "10.0.0.1:7946", Zone: "a", Version: "2", Attrs: "env=live,rack=r1"},
		{Addr: "node2:7946", Zone: "a", Version: "2", Attrs: "env=live,rack=r1"},
		{Addr: "10.0.0.3:7946", ID: "three"},
	}
	for name, parse := range map[string]func([]byte, Options) ([]peer.Peer, error){"JSON": JSON, "YAML": YAML} {
		got, err := parse([]byte(text), options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestYAMLOfHumansIsRead(t *testing.T) {
	got, err := YAML([]byte("# the rack\n- targets:\n  - 10.0.0.1:7946\n  labels:\n    zone: a\n"), options)
	if err != nil || len(got) != 1 || got[0].Zone != "a" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAnEmptyListIsAnAnswerAndNothingIsNot(t *testing.T) {
	for name, parse := range map[string]func([]byte, Options) ([]peer.Peer, error){"JSON": JSON, "YAML": YAML} {
		if got, err := parse([]byte("[]"), options); err != nil || len(got) != 0 {
			t.Errorf("%s of []: %v, %v", name, got, err)
		}
		for _, text := range []string{"", "null", "{}", "x", "[1]", `[{"targets": "10.0.0.1:1"}]`, `[{"targets": [`, `{"targets": []}`} {
			if got, err := parse([]byte(text), options); err == nil || got != nil {
				t.Errorf("%s of %q: %v, %v; want an error and nobody", name, text, got, err)
			}
		}
	}
}

func TestGoodTargetsAreKeptBesideBadOnes(t *testing.T) {
	got, err := JSON([]byte(`[{"targets": ["10.0.0.1:7946", "nowhere"]}, {"targets": ["10.0.0.2:1"], "labels": {"a": "x,y"}}]`), options)
	if len(got) != 1 || err == nil || !strings.Contains(err.Error(), `group 1: address "nowhere": want host:port`) ||
		!strings.Contains(err.Error(), `group 2: label "a"`) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAThousandMistakesAreToldInAFewLines(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `{"targets": ["bad%d"]},`, i)
	}
	_, err := JSON([]byte("["+strings.TrimSuffix(b.String(), ",")+"]"), options)
	if n := strings.Count(err.Error(), "\n"); n != maxErrors || !strings.Contains(err.Error(), "and 990 more") {
		t.Errorf("%d lines: %v", n, err)
	}
}

func FuzzTargets(f *testing.F) {
	f.Add([]byte(`[{"targets": ["10.0.0.1:7946"], "labels": {"zone": "a", "name": "n"}}]`))
	f.Add([]byte("- targets: [a:1]\n  labels: &x {a: b}\n- labels: *x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte, Options) ([]peer.Peer, error){JSON, YAML} {
			peers, err := parse(data, options)
			if len(peers) > MaxPeers {
				t.Fatalf("%d peers", len(peers))
			}
			for _, p := range peers {
				if canonical, bad := peer.Addr(p.Addr); bad != nil || canonical != p.Addr {
					t.Fatalf("address %q is not canonical: %v, %v", p.Addr, bad, err)
				}
			}
		}
	})
}
