package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/goconvoke/convoke/bench/fabric"
	"github.com/goconvoke/convoke/bench/scenario"
)

// Virtual writes the report of plays on a virtual clock.
func Virtual(out io.Writer, head Head, scenarios []scenario.Scenario, all []Result) error {
	rs := results(all)
	w := bufio.NewWriter(out)
	_, _ = fmt.Fprint(w, "# Membership engines side by side\n\n")
	head.write(w)
	_, _ = fmt.Fprintf(w, "- Virtual clock, network in memory: 0.5 to 1.5 ms one way, %d runs, seed %d, %d updates over all runs\n", head.Runs, head.Seed, head.Updates)
	_, _ = fmt.Fprintf(w, "- Figures: median [lowest..highest] of all samples of all runs; \"never\": not within %v\n", head.Limit)
	_, _ = fmt.Fprintf(w, "- Wire bytes: %s\n", fabric.WireFormula)
	rs.writeRequired(w)
	for _, n := range rs.sizes() {
		_, _ = fmt.Fprintf(w, "\n## %d members\n", n)
		for _, s := range scenarios {
			if s.MaxMembers > 0 && n > s.MaxMembers {
				continue
			}
			rs.writeScenario(w, n, s)
		}
	}
	rs.writeErrors(w)
	return w.Flush()
}

// writeScenario writes the table of one scenario at one number of members.
func (rs results) writeScenario(w io.Writer, members int, s scenario.Scenario) {
	engines := rs.engines()
	heads := append([]string{""}, engines...)
	heads = append(heads, ratioHeads(engines)...)
	_, _ = fmt.Fprintf(w, "\n### %s\n\n", s.Title)
	row(w, heads)
	row(w, dashes(len(heads)))
	for _, m := range s.Metrics {
		cells := []string{m.Title}
		stats := map[string]stat{}
		for _, e := range engines {
			stats[e] = rs.stat(members, s.Name, e, m.Key)
			cells = append(cells, stats[e].cell(m.Unit))
		}
		if _, ours := stats["gossip"]; ours {
			for _, e := range engines {
				if e != "gossip" {
					cells = append(cells, ratioCell(stats["gossip"], stats[e], m.Unit))
				}
			}
		}
		row(w, cells)
	}
	rs.writeSkipped(w, members, s)
}

// writeSkipped explains the empty columns of a table.
func (rs results) writeSkipped(w io.Writer, members int, s scenario.Scenario) {
	for _, r := range rs {
		if r.Members == members && r.Scenario == s.Name && r.Run == 0 && r.Skipped != "" {
			_, _ = fmt.Fprintf(w, "\n%s: %s.\n", r.Engine, r.Skipped)
		}
	}
}

// ratioHeads are the columns that compare gossip with the others.
func ratioHeads(engines []string) []string {
	var heads []string
	ours := false
	for _, e := range engines {
		if e == "gossip" {
			ours = true
			continue
		}
		heads = append(heads, "gossip/"+e)
	}
	if !ours {
		return nil
	}
	return heads
}

func dashes(n int) []string { return strings.Split(strings.Repeat("--- ", n-1)+"---", " ") }

func row(w io.Writer, cells []string) {
	_, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
}

// writeErrors lists the plays that could not be played to their end.
func (rs results) writeErrors(w io.Writer) {
	title := "\n## Plays that ended early\n\n"
	for _, r := range rs {
		if r.Error != "" {
			_, _ = fmt.Fprintf(w, "%s- %d members, %s, %s, run %d: %s\n", title, r.Members, r.Scenario, r.Engine, r.Run+1, r.Error)
			title = ""
		}
	}
}
