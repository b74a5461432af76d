package command

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// addrsFile has good topologies and a bad one. HOSTS stands for a hosts file, GONE for one that is not there.
const addrsFile = `
cluster: lab
topologies:
  complete: {strategy: static, config: {hosts: ["10.0.0.2:7946", "10.0.0.1:7946"]}}
  listed: {strategy: hostsfile, config: {path: HOSTS}}
  none: {strategy: hostsfile, config: {path: GONE}}
`

func writeAddrsFile(t *testing.T) string {
	t.Helper()
	hosts := write(t, "hosts", "10.0.0.3:7946\n")
	gone := filepath.Join(t.TempDir(), "gone")
	return write(t, "topology.yaml", strings.NewReplacer("HOSTS", hosts, "GONE", gone).Replace(addrsFile))
}

func TestAddrsPrintsPeersAndHowMuchTheAnswerIsWorth(t *testing.T) {
	got := convoke(t, "addrs", "-c", writeAddrsFile(t))
	want := `TOPOLOGY  STRATEGY   ADDR           ID  ZONE  VERSION  ANSWER
complete  static     10.0.0.1:7946  -   -     -        complete
complete  static     10.0.0.2:7946  -   -     -        complete
listed    hostsfile  10.0.0.3:7946  -   -     -        complete
none      hostsfile  -              -   -     -        none
`
	if d := cmp.Diff(want, got.stdout); d != "" {
		t.Errorf("addrs prints (-want +got):\n%s", d)
	}
	for _, want := range []string{"topology none: ", "gone"} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("stderr = %q, want it to hold %q", got.stderr, want)
		}
	}
	if got.code != exitFailed {
		t.Errorf("exit code %d, want 1: a topology gave nothing but an error", got.code)
	}
}

func TestAddrsOfOneTopologyAsJSON(t *testing.T) {
	got := convoke(t, "addrs", "-c", writeAddrsFile(t), "-o", "json", "complete")
	if got.code != exitOK || got.stderr != "" {
		t.Fatalf("addrs = %+v, want exit code 0", got)
	}
	var found []finding
	if err := json.Unmarshal([]byte(got.stdout), &found); err != nil {
		t.Fatal(err)
	}
	want := []finding{{
		Topology: "complete", Strategy: "static", Answer: "complete",
		Peers: []foundPeer{{Addr: "10.0.0.1:7946"}, {Addr: "10.0.0.2:7946"}},
	}}
	if d := cmp.Diff(want, found); d != "" {
		t.Errorf("addrs -o json (-want +got):\n%s", d)
	}
}

func TestAddrsOfATopologyThatIsNotThereNamesThoseThatAre(t *testing.T) {
	got := convoke(t, "addrs", "-c", writeAddrsFile(t), "pods")
	if got.code != exitFailed || !strings.Contains(got.stderr, "it has: complete, listed, none") {
		t.Errorf("addrs = %+v, want exit code 1 and the names", got)
	}
}

func TestAddrsDoesNotRegisterThisCommandAsANode(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "topology.yaml", "cluster: lab\ntopologies: {here: {strategy: local, config: {dir: "+dir+"}}}\n")
	for range 2 {
		got := convoke(t, "addrs", "-c", file)
		if got.code != exitOK || !strings.Contains(got.stdout, "here      local     -     -   -     -        complete") {
			t.Errorf("addrs = %+v, want exit code 0 and no peer", got)
		}
	}
}
