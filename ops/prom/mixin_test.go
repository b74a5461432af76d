package prom_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/ops/prom"
)

const mixin = "../mixin/"

// alert is a rule of alerts.yaml.
type alert struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	text, err := os.ReadFile(mixin + "alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 20 {
		t.Fatalf("%d alerts: this test looks for the wrong keys", len(all))
	}
	return all
}

func TestEveryAlertHasARunbookAndASeverity(t *testing.T) {
	page, err := os.ReadFile("../../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(string(page), -1) {
		headings[strings.ToLower(m[1])] = true // as GitHub makes the anchor of a heading
	}
	for _, a := range alerts(t) {
		const base = "https://github.com/goconvoke/convoke/blob/main/docs/runbooks.md#"
		anchor, ok := strings.CutPrefix(a.Annotations["runbook_url"], base)
		if !ok || !headings[anchor] {
			t.Errorf("%s: the runbook %q is no heading of docs/runbooks.md", a.Alert, a.Annotations["runbook_url"])
		}
		delete(headings, anchor)
		if a.Annotations["summary"] == "" || !slices.Contains([]string{"warning", "critical"}, a.Labels["severity"]) {
			t.Errorf("%s has the summary %q and the severity %q", a.Alert, a.Annotations["summary"], a.Labels["severity"])
		}
	}
	for h := range headings {
		t.Errorf("docs/runbooks.md has %s, which no alert refers to", h)
	}
}

var metricName = regexp.MustCompile(`convoke_[a-z_]+`)

// exists reports whether a name of a query is that of a metric, or of a series of a histogram.
func exists(name string) bool {
	for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
		if _, ok := prom.Metrics()[strings.TrimSuffix(name, suffix)]; ok {
			return true
		}
	}
	return false
}

func TestAlertsAndDashboardUseMetricsThatExist(t *testing.T) {
	var queries []string
	for _, a := range alerts(t) {
		queries = append(queries, a.Expr)
	}
	dashboard, err := os.ReadFile(mixin + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(dashboard) {
		t.Error("dashboard.json is not JSON")
	}
	queries = append(queries, string(dashboard))
	for _, q := range queries {
		for _, name := range metricName.FindAllString(q, -1) {
			if !exists(name) {
				t.Errorf("%s is used, and does not exist", name)
			}
		}
	}
}

func TestPromtoolAcceptsTheAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("REQUIRE_LABS") != "" {
			t.Fatal(err)
		}
		t.Skip("there is no promtool: install the package prometheus")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = mixin
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	text, err := os.ReadFile(mixin + "alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts(t) {
		if !strings.Contains(string(text), `alertname="`+a.Alert+`"`) {
			t.Errorf("%s has no test in alerts_test.yaml", a.Alert)
		}
	}
}
