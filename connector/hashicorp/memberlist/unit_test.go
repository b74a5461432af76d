package memberlist

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/hashicorp/internal/mlnet"
	"github.com/goconvoke/convoke/peer"
)

func TestNewReportsEveryMistake(t *testing.T) {
	_, err := Options{Profile: "moon"}.Kind().New(connector.NodeConfig{Name: "a\n", Cluster: "test", Listen: ":0", Advertise: "0.0.0.0",
		TLS: connector.TLS{Cert: "a", Key: "b", CA: "c"}}, connector.Env{})
	if err == nil {
		t.Fatal("New accepted nonsense")
	}
	for _, want := range []string{
		`node.name: the name of a node holds '\n'`, `node.advertise: advertised address "0.0.0.0" cannot be dialled`,
		"node.tls: the connector memberlist does not honour this setting", `unknown profile "moon" (known: lan, wan, local)`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New() = %q, want it to hold %q", err, want)
		}
	}
}

func TestSelfBeforeAndAfterTheBind(t *testing.T) {
	n := prepare(t, "a", func(c *config) { c.Listen, c.Advertise = "0.0.0.0:0", "127.0.0.1" })
	if got := n.Self(); len(got) != 0 {
		t.Errorf("Self() = %v before the port is known, want nothing", got)
	}
	n.run(t)
	n.waitBound(t)
	got := n.Self()
	if len(got) != 2 || !strings.HasPrefix(got[0].Addr, "127.0.0.1:") || !strings.HasPrefix(got[1].Addr, "0.0.0.0:") || got[0].ID != "a" {
		t.Errorf("Self() = %v, want the advertised address and the one of all interfaces", got)
	}
}

func TestAutomaticAdvertiseIsDialable(t *testing.T) {
	a := start(t, "a", func(c *config) { c.Listen = ":0" })
	b := start(t, "b", nil)
	b.mustJoin(t, a.peer())
	b.sees(t, a)
}

func TestMembersThatCannotBeDialledAreRefused(t *testing.T) {
	m := &members{self: "me", changed: func() {}, log: mlnet.NewDamper(hclog.NewNullLogger())}
	ok := memberlist.Node{Name: "n", Addr: net.IPv4(10, 0, 0, 1), Port: 1}
	if err := m.NotifyAlive(&ok); err != nil {
		t.Errorf("NotifyAlive(%v) = %v", ok, err)
	}
	for _, n := range []memberlist.Node{
		{Name: "n", Addr: net.IP{1, 2, 3}, Port: 1},
		{Name: "n", Addr: net.IPv4zero, Port: 1},
		{Name: "n", Addr: ok.Addr},
		{Addr: ok.Addr, Port: 1},
		{Name: strings.Repeat("n", 256), Addr: ok.Addr, Port: 1},
		{Name: "n\nfake line", Addr: ok.Addr, Port: 1},
	} {
		if err := m.NotifyAlive(&n); err == nil {
			t.Errorf("NotifyAlive(%q at %v:%d) = nil, want an error", n.Name, n.Addr, n.Port)
		}
	}
}

// A client of the port may send anything, or nothing, and must not cost more than one stream.
func TestNonsenseFromOutsideIsHarmless(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	for _, s := range []string{"", "\xf4", "\xf4\x00", "\xf4\x04test", "\xf4\x04test\x06\xff\xff\xff\xff", "\xf4\x04test\x0a\xff\xff\xff\xff", "GET / HTTP/1.0\r\n\r\n"} {
		conn, err := net.Dial("tcp", a.peer().Addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, s)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
	b.mustJoin(t, a.peer())
	a.sees(t, b)
}

// An address that answers with what it was sent is not another cluster.
func TestEchoIsNotForeign(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if conn, err := l.Accept(); err == nil {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
	}()
	a := start(t, "a", nil)
	err = a.join(t, peer.Peer{Addr: l.Addr().String()})
	if err == nil || strings.Contains(err.Error(), "answered as cluster") {
		t.Errorf("Connect to an echo = %v, want an error that is not ErrForeign", err)
	}
	<-ended
}

func TestLeaveWithoutARunIsNothing(t *testing.T) {
	n := prepare(t, "a", nil)
	if err := n.Leave(context.Background()); err != nil {
		t.Errorf("Leave before Run = %v, want nil", err)
	}
}
