package examples_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/strategy/builtin"
)

func TestShardsAreTakenOverAndNeverHeldTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("takes up to 60 s")
	}
	t.Parallel()
	out := runExample(t, 90*time.Second, "shards")
	inOrder(t, out, "a holds [", "c holds [", "kill -9 c\n", "took over from c", "all shards are held again", "a holds [", "b holds [", "no shard ever had two holders\n")
	if n := strings.Count(out, "took over from c"); n != 4 {
		t.Errorf("%d shards were taken over from c, want 4:\n%s", n, out)
	}
}

// leads is what a copy of the example leader prints.
type leads struct {
	name  string
	token uint64
}

// startLeader starts a copy of the example leader.
func startLeader(t *testing.T, name, dir string, lines chan<- leads) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "leader"), "-config", "leader/topology.yaml")
	cmd.Env = append(os.Environ(), "LEADER_NODE="+name, "LEADER_DIR="+dir, "LEADER_DATA="+filepath.Join(dir, name))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for in := bufio.NewScanner(out); in.Scan(); {
			var l leads
			if _, err := fmt.Sscanf(in.Text(), "%s leads with token %d", &l.name, &l.token); err == nil {
				lines <- l
			}
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s wrote\n%s", name, &stderr)
		}
	})
	return cmd
}

func TestALeaderThatIsKilledIsFollowedByAnotherWithAGreaterToken(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "ldr") // short, for the admin sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	lines := make(chan leads, 16)
	copies := make(map[string]*exec.Cmd)
	for _, name := range []string{"a", "b", "c"} {
		copies[name] = startLeader(t, name, dir, lines)
	}
	next := func() leads {
		t.Helper()
		select {
		case l := <-lines:
			return l
		case <-time.After(30 * time.Second):
			t.Fatal("no copy leads within 30 s")
		}
		return leads{}
	}
	first := next()
	if err := copies[first.name].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if second := next(); second.name == first.name || second.token <= first.token {
		t.Errorf("after %+v leads %+v, want another one with a greater token", first, second)
	}
}

// The file and the compose file use the same variables, each with the name that ring-election has for it.
func TestTheComposeFileOfShardsGivesEverySetting(t *testing.T) {
	topology, err := os.ReadFile("shards/topology.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("shards/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Environment map[string]string
			Hostname    string
			Ports       []string
		}
	}
	if err := yaml.Unmarshal(text, &compose); err != nil || len(compose.Services) != 3 {
		t.Fatalf("compose.yaml has the services %v, %v, want three", compose.Services, err)
	}
	connectors, err := connector.NewRegistry(gossip.Kind)
	if err != nil {
		t.Fatal(err)
	}
	for name, service := range compose.Services {
		for _, want := range []string{"PORT", "SEED_NODES", "NUM_PARTITIONS", "MONITORING_PORT", "HEART_BEAT_FREQUENCY", "LOG_LEVEL", "HOSTNAME"} {
			if service.Environment[want] == "" {
				t.Errorf("%s has no %s", name, want)
			}
			used := strings.Contains(string(topology), "${"+want)
			if !used && want != "LOG_LEVEL" { // which the program reads
				t.Errorf("topology.yaml does not use %s", want)
			}
		}
		c, err := cluster.Parse("topology.yaml", topology, cluster.LoadOptions{Strategies: builtin.Registry(), Connectors: connectors,
			LookupEnv: func(v string) (string, bool) { value, ok := service.Environment[v]; return value, ok }})
		if err != nil {
			t.Fatal(err)
		}
		if c.Groups[0].Shards != 12 || c.Quorum.Lease != 5*time.Second || c.HTTP.Listen != "0.0.0.0:9000" || c.Node.Listen != "0.0.0.0:3000" || c.Node.Name != service.Hostname {
			t.Errorf("%s runs with %+v, %+v, %+v, %+v", name, c.Node, c.Quorum, c.Groups, c.HTTP)
		}
	}
	file, err := os.ReadFile("shards/Containerfile")
	if err != nil || !regexp.MustCompile(`(?m)^ENTRYPOINT \["/shards", "-node", "-store", "/store/records"\]$`).Match(file) {
		t.Errorf("the Containerfile does not start a node: %v", err)
	}
}
