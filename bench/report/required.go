package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/goconvoke/convoke/bench/scenario"
)

// requirement is what gossip has to reach at some numbers of members.
type requirement struct {
	text     string
	scenario string
	key      string
	unit     scenario.Unit
	of       func(s stat) float64 // the figure in question
	relative bool                 // to the same figure of memberlist
	most     map[int]float64      // by number of members; 0: any other
}

func median(s stat) float64 { return s.median }
func worst(s stat) float64  { return s.highest }
func sum(s stat) float64    { return s.sum }

// any16 bounds a scenario that is played with few members only.
func any16(most float64) map[int]float64 { return map[int]float64{16: most, 64: most} }

func any64(most float64) map[int]float64 { return map[int]float64{64: most, 256: most} }

// requirements are the bounds that a change of gossip must not cross.
var requirements = []requirement{
	{"crash, known by all: part of memberlist's time", "crash", "last", scenario.Count, median, true, any64(1.0 / 100)},
	{"silent death, known by all: part of memberlist's time", "silent", "last", scenario.Count, median, true, map[int]float64{64: 0.55, 256: 0.45}},
	{"update at the last member: part of memberlist's time", "update", "last", scenario.Count, median, true, any64(1.0 / 20)},
	{"updates later than 3 s", "update", "late", scenario.Count, sum, false, any64(0)},
	{"join storm: part of memberlist's time", "join", "whole", scenario.Count, median, true, map[int]float64{64: 1.0 / 6, 256: 1.0 / 10}},
	{"join storm, slowest run (whole in every one)", "join", "whole", scenario.Seconds, worst, false, any64(maxJoin)},
	{"join storm, payload per member in 30 s", "join", "bytes30", scenario.Bytes, median, false, map[int]float64{256: 90_000, 512: 130_000}},
	{"shared data, payload per member and change: part of memberlist's", "shared", "bytes", scenario.Count, median, true, any64(1)},
	{"idle, on the wire", "idle", "wire", scenario.BytesPerSecond, median, false, map[int]float64{64: 1300, 256: 850}},
	{"loss of 5 %: false deaths", "loss-5", "false", scenario.Count, sum, false, any64(0)},
	{"loss of 10 %: false deaths", "loss-10", "false", scenario.Count, sum, false, any64(0)},
	{"loss of 20 %: false deaths", "loss-20", "false", scenario.Count, sum, false, any64(0)},
	{"stall: healthy members reported gone by healthy ones", "stall", "healthy", scenario.Count, sum, false, any64(0)},
	{"partition, healed after, median", "partition", "heal", scenario.Seconds, median, false, any64(1)},
	{"partition, healed after, worst", "partition", "heal", scenario.Seconds, worst, false, any64(12)},
	{"isolated member knows after, worst", "isolated", "knows", scenario.Seconds, worst, false, any64(8)},
	{"busy: healed after, worst", "busy", "heal", scenario.Seconds, worst, false, any64(12)},
	{"busy: false deaths", "busy", "false", scenario.Count, sum, false, any64(0)},
	{"busy: values that a member never gets", "busy", "lost", scenario.Count, sum, false, any64(0)},
	{"bulk: the newcomer has all (in every run)", "bulk", "whole", scenario.Seconds, worst, false, any16(maxBulk)},
	{"bulk: members lost", "bulk", "lost", scenario.Count, sum, false, any16(0)},
}

// maxBulk is how long a newcomer may take for 32 MB, in seconds: twenty times what its line needs.
const maxBulk = 5

// maxJoin only asks that a join storm ends at all: a limit of the bench is shorter.
const maxJoin = 24 * 3600

// verdict judges one requirement at one number of members. A play of gossip that failed meets none.
func (rs results) verdict(q requirement, members int) (measured, verdict string) {
	if rs.failed(members, q.scenario, "gossip") {
		return "a play failed", notMet
	}
	s := rs.stat(members, q.scenario, "gossip", q.key)
	if s.count == 0 {
		return "–", "not measured"
	}
	v := q.of(s)
	if q.relative {
		theirs := rs.stat(members, q.scenario, "memberlist", q.key)
		switch r, ok := ratio(s, theirs); {
		case theirs.count == 0:
			return "–", "not measured"
		case !ok: // ours never happened
			return "never", notMet
		default:
			v = r
		}
	}
	measured = value(v, q.unit)
	if q.relative {
		measured = ratioText(v)
	}
	if v > q.most[members] {
		return measured, notMet
	}
	return measured, "met"
}

const notMet = "**not met**"

// failed reports whether a play of an engine ended with an error.
func (rs results) failed(members int, scenario, engine string) bool {
	return slices.ContainsFunc(rs, func(r Result) bool {
		return r.Members == members && r.Scenario == scenario && r.Engine == engine && r.Error != ""
	})
}

func (rs results) writeRequired(w io.Writer) {
	_, _ = fmt.Fprint(w, "\n## Required of gossip\n\n| | members | at most | measured | |\n|---|---|---|---|---|\n")
	for _, q := range requirements {
		for _, n := range rs.sizes() {
			most, wanted := q.most[n]
			if !wanted {
				continue
			}
			bound := value(most, q.unit)
			switch {
			case q.relative:
				bound = fmt.Sprintf("%.3g", most)
			case most == maxJoin:
				bound = "any time"
			}
			measured, verdict := rs.verdict(q, n)
			_, _ = fmt.Fprintf(w, "| %s | %d | %s | %s | %s |\n", q.text, n, bound, measured, verdict)
		}
	}
}
