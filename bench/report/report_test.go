package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/bench/scenario"
	"github.com/goconvoke/convoke/bench/sockets"
)

func TestAStatSumsUp(t *testing.T) {
	for _, c := range []struct {
		samples []Sample
		want    string
	}{
		{nil, "–"},
		{[]Sample{0.0456}, "45.6 ms"},
		{[]Sample{3, 1, 2, 4}, "2.5 s [1.0 s..4.0 s]"},
		{[]Sample{1, Sample(math.Inf(1)), 2}, "2.0 s [1.0 s..never]"},
		{[]Sample{Sample(math.Inf(1))}, "never"},
	} {
		if got := newStat(c.samples).cell(scenario.Seconds); got != c.want {
			t.Errorf("cell of %v = %q, want %q", c.samples, got, c.want)
		}
	}
}

func TestAFigureIsWrittenInFull(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit scenario.Unit
		want string
	}{
		{0.9994, scenario.Seconds, "999 ms"},
		{0.9996, scenario.Seconds, "1.0 s"},
		{3.268, scenario.PerSecond, "3.27 /s"},
		{1508.4, scenario.PerSecond, "1508 /s"},
	} {
		if got := value(c.v, c.unit); got != c.want {
			t.Errorf("value(%v) = %q, want %q", c.v, got, c.want)
		}
	}
}

func TestVerdictsFollowTheSamples(t *testing.T) {
	never := Sample(math.Inf(1))
	for _, c := range []struct {
		name         string
		ours, theirs []Sample
		err          string
		want         string
	}{
		{"faster", []Sample{0.05}, []Sample{10}, "", "met"},
		{"too slow", []Sample{0.5}, []Sample{10}, "", "**not met**"},
		{"ours never", []Sample{never}, []Sample{10}, "", "**not met**"},
		{"theirs never", []Sample{0.05}, []Sample{never}, "", "met"},
		{"nothing to compare with", []Sample{0.05}, nil, "", "not measured"},
		{"a play of ours failed", []Sample{0.05}, []Sample{10}, "did not form", "**not met**"},
	} {
		rs := results{
			{Engine: "gossip", Members: 64, Scenario: "crash", Samples: map[string][]Sample{"last": c.ours}, Error: c.err},
			{Engine: "memberlist", Members: 64, Scenario: "crash", Samples: map[string][]Sample{"last": c.theirs}},
		}
		if _, got := rs.verdict(requirements[0], 64); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRequirementsNameMetricsThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, s := range scenario.All() {
		for _, m := range s.Metrics {
			known[s.Name+"/"+m.Key] = true
		}
	}
	for _, q := range requirements {
		if key := q.scenario + "/" + q.key; !known[key] || strings.TrimSpace(q.text) == "" {
			t.Errorf("requirement %q is about %s, which is no metric", q.text, key)
		}
	}
}

func TestAClusterThatIsNotWholeOnSocketsIsReportedAsSuch(t *testing.T) {
	var out strings.Builder
	results := []sockets.Result{{Engine: "gossip", Members: 512, Formed: 2}, {Engine: "memberlist", Members: 512, Formed: 60, Missing: 3}}
	if err := Sockets(&out, Head{}, time.Second, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"until all know all | 2.0 s | never |", "at the limit | 0 | 3 |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}
