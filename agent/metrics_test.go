package agent_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/ops/prom"
	"github.com/goconvoke/convoke/quorum"
)

// documented returns the metrics in the tables of docs/monitoring.md.
func documented(t *testing.T) (names []string) {
	t.Helper()
	page, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(convoke_[a-z_]+)`").FindAllSubmatch(page, -1) {
		names = append(names, string(m[1]))
	}
	if len(names) < 60 {
		t.Fatalf("docs/monitoring.md has %d metrics: this test looks for the wrong lines", len(names))
	}
	return names
}

// scrape reads the metrics that a node serves.
func scrape(t *testing.T, n *agent.Node) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	n.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func TestARunningNodeServesEveryMetricThatIsDocumented(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tls := writeCertificate(t, s.dir, "a", "b", "c")
	var all []*agent.Node
	for _, name := range []string{"a", "b", "c"} {
		file := s.write(name, ", expect: 3")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(s.dir, "data-"+name)
		changed := strings.Replace(string(text), "node: {", "node: {data_dir: "+dir+", tls: "+tls+", ", 1) + sections
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		o := s.options(name)
		o.Metrics = func(n *agent.Node) http.Handler { return prom.AgentHandler(n) }
		n, err := agent.Start(t.Context(), file, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Stop)
		all = append(all, n)
	}
	formed(t, all...)
	leader := leaderOf(t, all)
	got := scrape(t, leader)
	want := documented(t)
	for _, name := range want {
		if got[name] == nil && (name != "convoke_gossip_link_rtt_seconds" || runtime.GOOS == "linux") {
			t.Errorf("%s is documented, and missing in a scrape", name)
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "convoke_") && !slices.Contains(want, name) {
			t.Errorf("%s is in a scrape, and not documented in docs/monitoring.md", name)
		}
	}
	if leads := got["convoke_quorum_is_leader"].GetMetric()[0].GetGauge().GetValue(); leads != 1 {
		t.Errorf("the leader's convoke_quorum_is_leader is %v", leads)
	}
	if got["go_goroutines"] == nil {
		t.Error("the metrics of the process are missing")
	}
}

// leaderOf waits until the quorum has a leader that works with the groups of the file, and returns it.
func leaderOf(t *testing.T, all []*agent.Node) (leader *agent.Node) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	orders, err := all[0].Shards("orders")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = orders.Work(ctx, func(ctx context.Context, _ quorum.Hold) error { <-ctx.Done(); return nil })
	}()
	eventually(t, func() (bool, any) {
		for _, n := range all {
			status, err := n.Quorum().Status(ctx)
			if err == nil && status.Role == "leader" && len(status.Groups) == 1 && status.Groups[0].Vacant == 0 {
				leader = n
				return true, nil
			}
		}
		return false, "no leader, or shards without a holder"
	})
	return leader
}

// writeCertificate writes a certificate that all nodes of a cluster use, and that signs itself, and returns the setting node.tls for it.
func writeCertificate(t *testing.T, dir string, names ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, private := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, private: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("{cert: %s, key: %s, ca: %s}", cert, private, cert)
}
