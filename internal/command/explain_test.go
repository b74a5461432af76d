package command

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const secretKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

const explainFile = `cluster: lab
node:
  name: ${CONVOKE_TEST_NAME}
  keys: [` + secretKey + `]
topologies:
  there:
    strategy: static
    config:
      hosts: ["10.0.0.1:7946"]
    connect: audit.connect
`

func TestExplainPrintsWhereEachSettingComesFrom(t *testing.T) {
	t.Setenv("CONVOKE_TEST_NAME", "n1")
	file := write(t, "topology.yaml", explainFile)
	got := convoke(t, "explain", "-c", file, "-o", "json")
	if got.code != exitOK {
		t.Fatalf("explain = %+v, want exit code 0", got)
	}
	var all []setting
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil {
		t.Fatal(err)
	}
	byKey := make(map[string]setting, len(all))
	for _, s := range all {
		byKey[s.Key] = s
	}
	for _, want := range []setting{
		{"cluster", "lab", file + ":1:10"},
		{"node.name", "n1", file + ":3:9 from ${CONVOKE_TEST_NAME}"},
		{"node.listen", "0.0.0.0:7946", "default"},
		{"node.keys[0]", "(hidden)", file + ":4:10"},
		{"topologies.there.config.hosts[0]", "10.0.0.1:7946", file + ":9:15"},
		{"topologies.there.config.interval", "30s", "default"},
		{"topologies.there.connect", "audit.connect", file + ":10:14"},
		{"topologies.there.prune.after", "30s", "default"},
	} {
		if d := cmp.Diff(want, byKey[want.Key]); d != "" {
			t.Errorf("%s (-want +got):\n%s", want.Key, d)
		}
	}
}

func TestExplainHidesSecrets(t *testing.T) {
	t.Setenv("CONVOKE_TEST_NAME", "n1")
	file := write(t, "topology.yaml", explainFile)
	for _, as := range []string{"text", "json"} {
		got := convoke(t, "explain", "-c", file, "-o", as)
		if strings.Contains(got.stdout+got.stderr, secretKey) || !strings.Contains(got.stdout, "(hidden)") {
			t.Errorf("explain -o %s shows the key:\n%s", as, got.stdout)
		}
	}
}

func TestExplainPrintsAnAlignedTable(t *testing.T) {
	t.Setenv("CONVOKE_TEST_NAME", "n1")
	got := convoke(t, "explain", "-c", write(t, "topology.yaml", explainFile))
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	column := strings.Index(lines[0], "VALUE")
	for _, line := range lines {
		if column < 1 || len(line) <= column || line[column-1] != ' ' || line[column] == ' ' {
			t.Errorf("the second column of %q does not start at %d", line, column)
		}
	}
}

func TestExplainReportsTheMistakesOfTheFile(t *testing.T) {
	got := convoke(t, "explain", "-c", write(t, "topology.yaml", "cluster: lab\n"))
	if got.code != exitFailed || !strings.Contains(got.stderr, "topologies: required") {
		t.Errorf("explain = %+v, want exit code 1 and the mistake", got)
	}
}
