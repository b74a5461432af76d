// Package promlab runs a Prometheus beside the nodes of a test.
package promlab

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/lab"
)

const (
	startTimeout = 30 * time.Second
	queryTimeout = 5 * time.Second
	stopTimeout  = 10 * time.Second
)

const config = `global: {scrape_interval: %[1]v, scrape_timeout: 1s, evaluation_interval: %[1]v}
rule_files: [%[2]q]
scrape_configs:
  - job_name: convoke
    static_configs: [{targets: [%[3]s]}]
`

// Server is a Prometheus that runs until the end of its test.
type Server struct {
	t    testing.TB
	addr string
}

// Start runs a Prometheus that scrapes targets, each a host:port, every second with the rules of a file. Without the program the test is skipped, with
// REQUIRE_LABS=1 it fails.
func Start(t testing.TB, rules string, targets ...string) *Server {
	t.Helper()
	return StartEvery(t, time.Second, rules, targets...)
}

// StartEvery is [Start] with another interval of scrapes and evaluations, a whole number of seconds.
func StartEvery(t testing.TB, interval time.Duration, rules string, targets ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		lab.Missing(t, "prometheus: install the package of this name")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, interval, rules, `"`+strings.Join(targets, `", "`)+`"`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{t, FreeAddr(t)}
	cmd := exec.Command(program, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+s.addr)
	Run(t, cmd, filepath.Join(t.ArtifactDir(), "prometheus.log"))
	s.Await(startTimeout, "Prometheus is ready", func() bool {
		resp, err := http.Get("http://" + s.addr + "/-/ready")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return s
}

// Run starts a command with its output in a file, and ends it with the test.
func Run(t testing.TB, cmd *exec.Cmd, output string) {
	t.Helper()
	log, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		late := time.AfterFunc(stopTimeout, func() { _ = cmd.Process.Kill() })
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it may have been killed
		late.Stop()
		_ = log.Close()
		if text, err := os.ReadFile(output); err == nil && t.Failed() {
			t.Logf("%s:\n%s", output, text[max(0, len(text)-4000):])
		}
	})
}

// FreeAddr returns a host:port of loopback that was free a moment ago.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Sample is one series of a result.
type Sample struct {
	Metric map[string]string
	Value  [2]any // time and value, as the API has it
}

// Query evaluates an expression now.
func (s *Server) Query(expr string) []Sample {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), queryTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []Sample }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status != "success" {
		s.t.Fatalf("query %s: %v %s", expr, err, answer.Error)
	}
	return answer.Data.Result
}

// Firing returns the names of the alerts that fire.
func (s *Server) Firing() map[string]bool {
	s.t.Helper()
	names := make(map[string]bool)
	for _, a := range s.Query(`ALERTS{alertstate="firing"}`) {
		names[a.Metric["alertname"]] = true
	}
	return names
}

// FiringSince returns when an alert began to fire within the last hour, as rules are evaluated; false: it has not.
func (s *Server) FiringSince(alert string) (time.Time, bool) {
	s.t.Helper()
	found := s.Query(fmt.Sprintf(`min(min_over_time(timestamp(ALERTS{alertname=%q, alertstate="firing"})[1h:1s]))`, alert))
	if len(found) == 0 {
		return time.Time{}, false
	}
	text, _ := found[0].Value[1].(string)
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return time.UnixMilli(int64(1000 * seconds)), true
}

// Await waits until a condition holds.
func (s *Server) Await(limit time.Duration, what string, holds func() bool) {
	s.t.Helper()
	for late := time.Now().Add(limit); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(late) {
			s.t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
