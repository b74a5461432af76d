package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	convoke "github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/integration/kube"
	"github.com/goconvoke/convoke/quorum"
	lease "github.com/goconvoke/convoke/quorum/kubernetes"
	"github.com/goconvoke/convoke/strategy/builtin"
	"github.com/goconvoke/convoke/strategy/kubernetes"
)

// foundedWithin is for a founding: the members retry every 30 s while the API server refuses them.
const foundedWithin = 90 * time.Second

// leasePods are nodes in this process whose service account is one of the API server's.
type leasePods struct {
	t     *testing.T
	shop  *shop
	ports []string
}

func newLeasePods(t *testing.T, n int) *leasePods {
	p := &leasePods{t: t, shop: newLockedShop(t, apiServer(t), kube.Service{})}
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.ports = append(p.ports, l.Addr().String())
		l.Close()
	}
	return p
}

// start runs the ith node, which dials hosts, until the test ends.
func (p *leasePods) start(i int, hosts ...string) *convoke.Node {
	p.t.Helper()
	text := fmt.Sprintf(`cluster: orders
node: {name: n%d, listen: "%s"}
quorum: {birth: {kubernetes: {api: "%s", service_account: "%s"}}}
topologies: {lan: {strategy: static, config: {hosts: [%s]}}}
`, i, p.ports[i], p.shop.server.Ready.URL, p.shop.files.Dir, strings.Join(hosts, ", "))
	file := filepath.Join(p.t.TempDir(), "topology.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	n, err := convoke.Start(context.Background(), file, convoke.Options{Strategies: builtin.Registry(), Log: hclog.NewNullLogger(), Socket: filepath.Join(p.t.TempDir(), "s")})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(n.Stop)
	return n
}

// until waits until the status of a node is as wanted.
func (p *leasePods) until(n *convoke.Node, what string, holds func(quorum.Status) bool) quorum.Status {
	p.t.Helper()
	var s quorum.Status
	for end := time.Now().Add(foundedWithin); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if q := n.Quorum(); q != nil {
			s, _ = q.Status(p.t.Context())
			if holds(s) {
				return s
			}
		}
	}
	p.t.Fatalf("not within %v: %s; the status is %+v", foundedWithin, what, s)
	return s
}

// founding returns what the Lease has.
func (p *leasePods) founding() string {
	p.t.Helper()
	var o struct {
		Metadata struct{ Annotations map[string]string }
	}
	path := "/apis/coordination.k8s.io/v1/namespaces/" + p.shop.Name + "/leases/" + lease.LeaseName("orders")
	if err := p.shop.server.Client().Read(path, &o); err != nil {
		p.t.Fatal(err)
	}
	return o.Metadata.Annotations[lease.Annotation]
}

func TestPodsThatDoNotSeeEachOtherFoundOneQuorumThroughALease(t *testing.T) {
	t.Parallel()
	p := newLeasePods(t, 4)
	a, b, c := p.start(0, p.ports[:3]...), p.start(1, p.ports[:3]...), p.start(2, p.ports[:3]...) // none calls the fourth
	p.until(a, "it reports that it is not allowed to read the Lease", func(s quorum.Status) bool {
		return strings.Contains(s.Why, "allow the service account of the pod to get, create, patch leases")
	})
	grant := kubernetes.Grant{Namespace: p.shop.Name, Group: "coordination.k8s.io", Resource: "leases", Verbs: lease.Verbs}
	p.shop.Apply(grant.Manifest("birth", "orders", p.shop.Name))
	led := func(s quorum.Status) bool { return s.Leader != "" }
	birth := p.until(a, "a leader", led).Birth
	for _, n := range []*convoke.Node{b, c} {
		if s := p.until(n, "a leader", led); s.Birth != birth {
			t.Errorf("%s belongs to %s, n0 to %s", s.Member, s.Birth, birth)
		}
	}
	text := p.founding()
	if !strings.Contains(text, birth) {
		t.Errorf("the Lease has %q, the members belong to %s", text, birth)
	}
	alone := p.start(3, "127.0.0.1:1") // it knows no other node
	if s := p.until(alone, "it belongs to a birth", func(s quorum.Status) bool { return s.Birth != "" }); s.Birth != birth || s.Leader != "" {
		t.Errorf("a node that sees no other belongs to %s and knows leader %q, want %s and none", s.Birth, s.Leader, birth)
	}
	if now := p.founding(); now != text {
		t.Errorf("the Lease has changed to %q", now)
	}
}
