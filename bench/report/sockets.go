package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/goconvoke/convoke/bench/scenario"
	"github.com/goconvoke/convoke/bench/sockets"
)

// socketMetrics are the rows of the table.
var socketMetrics = []struct {
	title string
	unit  scenario.Unit
	of    func(sockets.Result) float64
}{
	{"join storm, until all know all", scenario.Seconds, whole},
	{"join storm, pairs missing at the limit", scenario.Count, func(r sockets.Result) float64 { return float64(r.Missing) }},
	{"join storm, CPU time until then", scenario.Seconds, func(r sockets.Result) float64 { return r.FormCPU / 1000 }},
	{"idle, CPU time per second", scenario.Seconds, func(r sockets.Result) float64 { return r.CPU / 1000 }},
	{"heap in use", scenario.Bytes, func(r sockets.Result) float64 { return r.Heap }},
	{"resident memory", scenario.Bytes, func(r sockets.Result) float64 { return r.Resident }},
	{"goroutines", scenario.Number, func(r sockets.Result) float64 { return r.Goroutines }},
}

// whole is when all knew all.
func whole(r sockets.Result) float64 {
	if r.Missing > 0 {
		return math.Inf(1)
	}
	return r.Formed
}

// Sockets writes the report of idle members on real sockets.
func Sockets(out io.Writer, head Head, window time.Duration, results []sockets.Result) error {
	w := bufio.NewWriter(out)
	_, _ = fmt.Fprint(w, "# Membership engines on real sockets, idle\n\n")
	head.write(w)
	_, _ = fmt.Fprintf(w, "- Sockets of 127.0.0.1, one process for all members of an engine, idle CPU time (getrusage) of %v after 30 s of rest; all but the first two rows per member; limit of the join storm %v\n", window, head.Limit)
	var sizes []int
	for _, r := range results {
		if !slices.Contains(sizes, r.Members) {
			sizes = append(sizes, r.Members)
		}
	}
	for _, n := range sizes {
		_, _ = fmt.Fprintf(w, "\n## %d members\n\n", n)
		writeSockets(w, slices.DeleteFunc(slices.Clone(results), func(r sockets.Result) bool { return r.Members != n }))
	}
	return w.Flush()
}

// writeSockets writes the table of one number of members.
func writeSockets(w io.Writer, results []sockets.Result) {
	heads := []string{""}
	for _, r := range results {
		heads = append(heads, r.Engine)
	}
	engines := heads[1:]
	heads = append(heads, ratioHeads(engines)...)
	row(w, heads)
	row(w, dashes(len(heads)))
	for _, m := range socketMetrics {
		cells := []string{m.title}
		stats := map[string]stat{}
		for _, r := range results {
			stats[r.Engine] = newStat([]Sample{Sample(m.of(r))})
			cells = append(cells, stats[r.Engine].cell(m.unit))
		}
		if _, ours := stats["gossip"]; ours {
			for _, e := range engines {
				if e != "gossip" {
					cells = append(cells, ratioCell(stats["gossip"], stats[e], m.unit))
				}
			}
		}
		row(w, cells)
	}
}
