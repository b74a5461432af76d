package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckAcceptsGoodFilesAndCountsTheirTopologies(t *testing.T) {
	one := write(t, "one.yaml", `
cluster: lab
node: {listen: "127.0.0.1:7946"}
topologies:
  here: {strategy: local, expect: 3}
`)
	two := write(t, "two.yaml", `
cluster: lab
node: {listen: "10.0.0.2:7946"}
topologies:
  here: {strategy: local, expect: 0}
  there: {strategy: static, expect: 2, config: {hosts: ["10.0.0.1:7946"]}}
`)
	got := convoke(t, "check", one, two)
	want := one + ": ok (1 topology)\n" + two + ": ok (2 topologies)\n"
	if got.code != exitOK || got.stdout != want || got.stderr != "" {
		t.Errorf("check = %+v, want exit code 0 and %q", got, want)
	}
}

func TestCheckReportsEachMistakeAtItsPlace(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string // "FILE" stands for the path
	}{
		{"an unknown strategy", `
cluster: lab
topologies:
  here: {strategy: statik}
`, []string{`FILE:4:20: unknown strategy "statik"; did you mean "static"?`}},
		{"no strategy", `
cluster: lab
topologies:
  here: {expect: 2}
`, []string{`FILE:4:3: topology "here": strategy is required`}},
		{"no cluster ID", `
topologies:
  here: {strategy: local}
`, []string{"a cluster ID is required"}},
		{"no topologies", "cluster: lab\n", []string{"FILE:1:1: topologies: required"}},
		{"port 0 and port 70000", `
cluster: lab
topologies:
  there:
    strategy: static
    config:
      hosts:
        - 10.0.0.1:0
        - 10.0.0.2:70000
        - 10.0.0.3:7946
`, []string{
			`FILE:8:11: hosts[0]: address "10.0.0.1:0": port "0" is not a number in 1..65535`,
			`FILE:9:11: hosts[1]: address "10.0.0.2:70000": port "70000" is not a number in 1..65535`,
		}},
		{"a topology twice", `
cluster: lab
topologies:
  here: {strategy: local}
  here: {strategy: local}
`, []string{"FILE:5:3:", "here"}},
		{"a key of the wrong size", `
cluster: lab
node:
  keys: [c2hvcnQ=]
topologies:
  here: {strategy: local}
`, []string{"FILE:4:10:", "key has 5 bytes, want 32", "openssl rand -base64 32"}},
		{"a misspelt key", `
cluster: lab
topologies:
  here: {strategy: local, expekt: 3}
`, []string{`FILE:4:27: unknown key "expekt"`, `"expect"`}},
		{"an unknown connector", `
cluster: lab
topologies:
  here: {strategy: local, connector: gosip}
`, []string{"FILE:4:", `unknown connector "gosip"`, `"gossip"`}},
		{"a callback that the agent has not", `
cluster: lab
topologies:
  here: {strategy: local, connect: audit.connect}
`, []string{"FILE:4:36:", `"audit.connect"`}},
		{"no YAML", "cluster: [\n", []string{"FILE:"}},
		{"nothing", "", []string{"the configuration is empty"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, "topology.yaml", c.text)
			got := convoke(t, "check", file)
			if got.code != exitFailed || got.stdout != "" {
				t.Errorf("check = exit code %d, stdout %q, want 1 and nothing", got.code, got.stdout)
			}
			for _, want := range c.want {
				if want = strings.ReplaceAll(want, "FILE", file); !strings.Contains(got.stderr, want) {
					t.Errorf("check prints\n%swant it to hold\n%s", got.stderr, want)
				}
			}
		})
	}
}

func TestCheckReportsAllMistakesOfAllFiles(t *testing.T) {
	bad := write(t, "bad.yaml", `
topologies:
  here: {strategy: statik}
  there: {strategy: static, config: {hosts: ["a:0"], intervall: 5}}
`)
	good := write(t, "good.yaml", "cluster: lab\ntopologies: {here: {strategy: local}}\n")
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	got := convoke(t, "check", bad, missing, good)
	for _, want := range []string{"cluster ID", `"statik"`, `port "0"`, `"intervall"`, missing} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("check prints\n%swant it to hold %q", got.stderr, want)
		}
	}
	if got.code != exitFailed || got.stdout != good+": ok (1 topology)\n" {
		t.Errorf("check = exit code %d, stdout %q, want 1 and the good file", got.code, got.stdout)
	}
}

func TestCheckReportsThatAFileCannotBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root reads everything, so a directory stands for the unreadable file")
	}
	got := convoke(t, "check", t.TempDir())
	if got.code != exitFailed || !strings.Contains(got.stderr, "directory") {
		t.Errorf("check of a directory = %+v, want exit code 1 and a word about the directory", got)
	}
}

func TestCheckKnowsConnectorsAndCallbacksThatItIsGiven(t *testing.T) {
	file := write(t, "own.yaml", `
cluster: lab
topologies:
  here: {strategy: local, connector: mine, connect: audit.connect, list: audit.list}
`)
	got := convoke(t, "check", "--connector", "mine", "--callback", "audit.connect,audit.list", file)
	if got.code != exitOK {
		t.Errorf("check = %+v, want exit code 0", got)
	}
}

func TestWarningsFailNoCheckAndAreInJSONToo(t *testing.T) {
	file := write(t, "open.yaml", `
cluster: lab
topologies:
  here: {strategy: local}
`)
	text := convoke(t, "check", file)
	for _, want := range []string{":2:1: warning: node.listen: other hosts can reach 0.0.0.0:7946", ":4:9: warning: expect: not given"} {
		if !strings.Contains(text.stderr, file+want) {
			t.Errorf("check prints\n%swant it to hold %s%s", text.stderr, file, want)
		}
	}
	if text.code != exitOK || text.stdout != file+": ok (1 topology)\n" {
		t.Errorf("check = exit code %d, stdout %q", text.code, text.stdout)
	}
	var all []checked
	if err := json.Unmarshal([]byte(convoke(t, "check", "-o", "json", file).stdout), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || !all[0].OK || strings.Join(all[0].Warnings, "\n")+"\n" != text.stderr {
		t.Errorf("check -o json = %+v, want the warnings\n%s", all, text.stderr)
	}
}

func TestCheckWarnsWhereAnswersAreHardlyEverComplete(t *testing.T) {
	file := write(t, "sampled.yaml", `
cluster: lab
node: {listen: "127.0.0.1:7946"}
topologies:
  here:
    strategy: dns
    expect: 3
    config:
      names: [peers.example.com:7946]
      sampled: true
      interval: 30s
`)
	got := convoke(t, "check", file)
	want := file + ":11:17: warning: interval: with sampled, an answer is complete only after 10 lookups without a failure or more, which take 5m0s"
	if got.code != exitOK || !strings.HasPrefix(got.stderr, want) || !strings.HasSuffix(got.stdout, ": ok (1 topology)\n") {
		t.Errorf("check = %+v, want exit code 0 and %q", got, want)
	}
}
