package election

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/goconvoke/convoke/bench/assign"
	"github.com/goconvoke/convoke/bench/scenario"
)

// assignRuns is how often each step of an assignment is measured.
const assignRuns = 5

// assignRow is one figure of one contender.
func assignRow(size assign.Size, step assign.Step, what, contender string, unit scenario.Unit, real bool, sample float64) Row {
	words := map[assign.Step]string{assign.Nothing: "from nothing", assign.Loss: "after a loss", assign.Join: "after a join"}
	measure := fmt.Sprintf("%d shards on %d members, %s: %s", size.Shards, size.Members, words[step], what)
	return Row{Measure: measure, Contender: contender, Unit: unit, Real: real, Samples: []float64{sample}}
}

func assignRows(size assign.Size, step assign.Step, contender string, f assign.Figure) []Row {
	rows := []Row{assignRow(size, step, "time", contender, scenario.Seconds, true, f.Took.Seconds())}
	if step != assign.Nothing {
		rows = append(rows, assignRow(size, step, "shards moved", contender, scenario.Count, false, float64(f.Moved)))
	}
	return append(rows, assignRow(size, step, "the most of a member less the fewest", contender, scenario.Count, false, float64(f.Spread)))
}

// libraryAssignments measures how other libraries assign shards.
func libraryAssignments() (rows []Row, err error) {
	for range assignRuns {
		for _, size := range assign.Sizes {
			for _, l := range assign.Libraries {
				for _, step := range assign.Steps {
					rows = append(rows, assignRows(size, step, l.Name, l.Measure(size.Members, size.Shards, step))...)
				}
			}
		}
	}
	return rows, nil
}

// convokeAssignments takes the same figures of the benchmark of the planner, which no other module can import.
func convokeAssignments() (rows []Row, err error) {
	c := exec.Command("go", "test", "-C", "..", "-run", "-", "-bench", "BenchmarkPlan/members/shards/copies=1/(nothing|loss|join)", "-benchtime", "3x",
		"-count", strconv.Itoa(assignRuns), "./quorum/internal/plan")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s%s", err, stderr.Bytes(), out)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "BenchmarkPlan/") {
			continue
		}
		more, err := parseBenchmark(strings.Fields(lines.Text()))
		if err != nil {
			return rows, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		rows = append(rows, more...)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("the benchmark of the planner printed no figure: %s", out)
	}
	return rows, nil
}

// parseBenchmark reads a line of a benchmark: its name, how often it ran, and pairs of a figure and its unit.
func parseBenchmark(words []string) ([]Row, error) {
	var size assign.Size
	step, _, _ := strings.Cut(words[0][strings.LastIndex(words[0], "/")+1:], "-")
	if _, err := fmt.Sscanf(words[0], "BenchmarkPlan/members=%d/shards=%d/", &size.Members, &size.Shards); err != nil {
		return nil, err
	}
	figures := map[string]float64{}
	for i := 2; i+1 < len(words); i += 2 {
		f, err := strconv.ParseFloat(words[i], 64)
		if err != nil {
			return nil, err
		}
		figures[words[i+1]] = f
	}
	for _, unit := range []string{"ns/op", "moved", "max-min"} {
		if _, ok := figures[unit]; !ok {
			return nil, fmt.Errorf("no figure with the unit %s", unit)
		}
	}
	rows := assignRows(size, assign.Step(step), convoke, assign.Figure{Moved: int(figures["moved"]), Spread: int(figures["max-min"])})
	rows[0].Samples = []float64{figures["ns/op"] / 1e9}
	return rows, nil
}
