package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/goconvoke/convoke/bench/election"
)

// Election writes the report of who leads: one line for each measure and contender.
func Election(out io.Writer, head Head, rows []election.Row) error {
	w := bufio.NewWriter(out)
	_, _ = fmt.Fprint(w, "# Leaders, shards and commits\n\n")
	head.write(w)
	_, _ = fmt.Fprint(w, "- Figures: median [least..greatest] of all runs. Without a mark they are of the virtual clock, with a network in memory of 0.5 to 1.5 ms "+
		"one way and logs in memory, and another load of the machine does not change them; those with * have the real clock, sockets and the disk\n\n")
	heads := []string{"", "contender", "figure", "goal", "runs", "of convoke's"}
	row(w, heads)
	row(w, dashes(len(heads)))
	all := merge(rows)
	for _, r := range all {
		row(w, electionCells(r, all))
	}
	return w.Flush()
}

func electionCells(r election.Row, all []election.Row) []string {
	title := r.Measure
	if r.Real {
		title += " *"
	}
	figure := statOf(r)
	times := ""
	for _, ours := range all {
		if q, ok := ratio(figure, statOf(ours)); ok && ours.Measure == r.Measure && ours.Contender == "convoke" && r.Contender != "convoke" {
			times = fmt.Sprintf("%.3g ×", q)
		}
	}
	return []string{title, r.Contender, figure.cell(r.Unit), r.Goal, fmt.Sprint(len(r.Samples)), times}
}

func statOf(r election.Row) stat {
	var samples []Sample
	for _, s := range r.Samples {
		samples = append(samples, Sample(s))
	}
	return newStat(samples)
}

// merge puts the samples of one measure of one contender together, measures in the order in which they first come, which is that of the plays of convoke.
func merge(rows []election.Row) []election.Row {
	var merged []election.Row
	for _, r := range rows {
		same := func(o election.Row) bool { return o.Measure == r.Measure && o.Contender == r.Contender }
		if i := slices.IndexFunc(merged, same); i >= 0 {
			merged[i].Samples = append(merged[i].Samples, r.Samples...)
			continue
		}
		after := len(merged)
		for i, o := range merged {
			if o.Measure == r.Measure {
				after = i + 1
			}
		}
		merged = slices.Insert(merged, after, r)
	}
	return merged
}
