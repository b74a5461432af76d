// Package hashicorp_test holds the connectors of all modules to the same rules.
package hashicorp_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/connector/hashicorp/memberlist"
	"github.com/goconvoke/convoke/connector/hashicorp/serf"
	"github.com/goconvoke/convoke/internal/command"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/local"
	"github.com/goconvoke/convoke/strategy/static"
)

const deadline = 20 * time.Second

// lines is a connector of callbacks.
func lines() connector.Kind {
	k := connector.Own("lines")
	k.New = func(connector.NodeConfig, connector.Env) (connector.Connector, error) {
		call := func(context.Context, peer.Peer) error { return nil }
		list := func(context.Context) ([]peer.Peer, error) { return nil, nil }
		return connector.Funcs{ConnectFunc: call, DisconnectFunc: call, ListFunc: list}, nil
	}
	return k
}

// file is the text of a configuration in which one setting of the node is given, on a line of its own.
func file(t *testing.T, kind, setting string) (path string, line int) {
	t.Helper()
	text := "cluster: lab\nnode:\n"
	for _, s := range []string{"name: a", "listen: 127.0.0.1:0"} {
		if key, _, _ := strings.Cut(s, ":"); !strings.HasPrefix(setting, key+":") {
			text += "  " + s + "\n"
		}
	}
	line = strings.Count(text, "\n") + 1
	text += "  " + setting + "\ntopologies:\n  here: {strategy: static, config: {hosts: [\"127.0.0.9:9\"]}, connector: " + kind + "}\n"
	path = filepath.Join(t.TempDir(), "topology.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, line
}

// Every setting of a node is honoured by a connector, or refused at its place with the same words by the check of files, by a
// supervisor and by an agent.
func TestEverySettingIsHonouredOrRefusedAtItsPlace(t *testing.T) {
	certs := writeCertificates(t, "a")
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	settings := []struct {
		text      string
		honoured  []string
		effective func(t *testing.T, n *agent.Node)
	}{
		{"name: b", []string{"gossip", "memberlist", "serf", "lines"}, func(t *testing.T, n *agent.Node) {
			if got := self(t, n); got.Name != "b" || n.Supervisor().Status().Node != "b" {
				t.Errorf("this node is %+v, want the name b", got)
			}
		}},
		{"listen: 127.0.0.2:0", []string{"gossip", "memberlist", "serf", "lines"}, func(t *testing.T, n *agent.Node) {
			if got := self(t, n); !strings.HasPrefix(got.Addr, "127.0.0.2:") && !isFuncs(n) {
				t.Errorf("this node is %+v, want an address of 127.0.0.2", got)
			}
		}},
		{"advertise: 127.0.0.3", []string{"gossip", "memberlist", "serf", "lines"}, func(t *testing.T, n *agent.Node) {
			if got := self(t, n); !strings.HasPrefix(got.Addr, "127.0.0.3:") && !isFuncs(n) {
				t.Errorf("this node is %+v, want an address of 127.0.0.3", got)
			}
		}},
		{"zone: west", []string{"gossip"}, func(t *testing.T, n *agent.Node) {
			if got := self(t, n); got.Zone != "west" {
				t.Errorf("this node is %+v, want the zone west", got)
			}
		}},
		{"version: v2", []string{"gossip"}, func(t *testing.T, n *agent.Node) {
			if got := self(t, n); got.Version != "v2" {
				t.Errorf("this node is %+v, want the version v2", got)
			}
		}},
		{"data_dir: " + shortDir(t), []string{"gossip"}, func(t *testing.T, n *agent.Node) {
			if all, err := os.ReadDir(n.Config().DataDir); err != nil || len(all) < 2 {
				t.Errorf("the data directory holds %v, %v, want what the node keeps and the admin socket", all, err)
			}
		}},
		{"forget_after: 5m", []string{"gossip"}, nil},
		{"forget_after: never", []string{"gossip"}, nil},
		{"tls: {cert: " + certs.Cert + ", key: " + certs.Key + ", ca: " + certs.CA + "}", []string{"gossip"}, refusesStrangers},
		{"keys: [" + key + "]", []string{"gossip", "memberlist", "serf"}, refusesStrangers},
	}
	for _, kind := range []connector.Kind{gossip.Kind, memberlist.Kind, serf.Kind, lines()} {
		for _, s := range settings {
			name, _, _ := strings.Cut(s.text, ":")
			t.Run(kind.Name+"/"+name, func(t *testing.T) {
				path, line := file(t, kind.Name, s.text)
				if slices.Contains(s.honoured, kind.Name) {
					honours(t, kind, path, s.effective)
					return
				}
				refuses(t, kind, path, fmt.Sprintf("%s:%d:%d: node.%s: the connector %s does not honour this setting", path, line, len(name)+5, name, kind.Name))
			})
		}
	}
}

func registries(t *testing.T, kind connector.Kind) (*strategy.Registry, *connector.Registry) {
	t.Helper()
	strategies, err := strategy.NewRegistry(static.Kind, local.Kind)
	if err != nil {
		t.Fatal(err)
	}
	connectors, err := connector.NewRegistry(kind)
	if err != nil {
		t.Fatal(err)
	}
	return strategies, connectors
}

// check runs the command that checks a file.
func check(t *testing.T, kind connector.Kind, path string) (code int, printed string) {
	t.Helper()
	args := []string{"check", path}
	kinds := []connector.Kind{kind}
	if kind.Name == "lines" {
		args, kinds = append(args, "--connector", "lines"), []connector.Kind{gossip.Kind}
	}
	var stdout, stderr bytes.Buffer
	code = command.Run(t.Context(), args, &stdout, &stderr, "convoke", kinds...)
	return code, stdout.String() + stderr.String()
}

func refuses(t *testing.T, kind connector.Kind, path, want string) {
	t.Helper()
	if code, printed := check(t, kind, path); code != 1 || !strings.Contains(printed, want) {
		t.Errorf("check = %d, %q, want 1 and %q", code, printed, want)
	}
	strategies, connectors := registries(t, kind)
	config, err := cluster.Load(path, cluster.LoadOptions{Strategies: strategies}) // it does not know the connectors
	if err != nil {
		t.Fatal(err)
	}
	bare := connector.NodeConfig{Cluster: config.Node.Cluster, Name: config.Node.Name, Listen: config.Node.Listen}
	made, err := kind.New(bare, connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.New(config, cluster.WithConnector(kind.Name, made)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("cluster.New = %v, want %q", err, want)
	}
	n, err := agent.Start(t.Context(), path, agent.Options{Strategies: strategies, Connectors: connectors})
	if err == nil {
		n.Stop()
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("agent.Start = %v, want %q", err, want)
	}
}

func honours(t *testing.T, kind connector.Kind, path string, effective func(*testing.T, *agent.Node)) {
	t.Helper()
	if code, printed := check(t, kind, path); code != 0 {
		t.Errorf("check = %d, %q, want 0", code, printed)
	}
	strategies, connectors := registries(t, kind)
	config, err := cluster.Load(path, cluster.LoadOptions{Strategies: strategies, Connectors: connectors})
	if err != nil {
		t.Fatal(err)
	}
	made, err := kind.New(config.Node, connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.New(config, cluster.WithConnector(kind.Name, made)); err != nil {
		t.Errorf("cluster.New = %v", err)
	}
	n, err := agent.Start(t.Context(), path, agent.Options{
		Strategies: strategies, Connectors: connectors, Log: hclog.NewNullLogger(), Socket: filepath.Join(shortDir(t), "s"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := n.Formed(ctx); err != nil {
		t.Fatal(err)
	}
	if effective != nil {
		effective(t, n)
	}
}

func isFuncs(n *agent.Node) bool { _, ok := n.Connector().(connector.Funcs); return ok }

func self(t *testing.T, n *agent.Node) agent.Member {
	t.Helper()
	members, err := n.Members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Self {
			return m
		}
	}
	t.Fatalf("this node is not among the members %v", members)
	return agent.Member{}
}

// refusesStrangers calls a node from one that has neither its keys nor a certificate.
func refusesStrangers(t *testing.T, n *agent.Node) {
	for _, kind := range []connector.Kind{gossip.Kind, memberlist.Kind, serf.Kind} {
		configured, ok := n.Connector().(connector.Configured)
		if !ok || fmt.Sprintf("%T", n.Connector()) != fmt.Sprintf("*%s.Connector", kind.Name) {
			continue
		}
		stranger, err := kind.New(connector.NodeConfig{Cluster: configured.NodeConfig().Cluster, Name: "stranger", Listen: "127.0.0.1:0"}, connector.Env{})
		if err != nil {
			t.Fatal(err)
		}
		run(t, stranger)
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		if err := stranger.Connect(ctx, peer.Peer{Addr: self(t, n).Addr}); err == nil {
			t.Error("a node without the secret came in")
		}
	}
}

// run runs a connector until the end of the test, and returns when it lists its members.
func run(t *testing.T, c connector.Connector) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.(connector.Runner).Run(ctx) // it returns the end of ctx
	}()
	t.Cleanup(func() { cancel(); <-ended })
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(deadline); ; <-tick.C {
		if _, err := c.List(t.Context()); err == nil {
			return
		} else if time.Now().After(late) {
			t.Fatal(err)
		}
	}
}

// shortDir returns a directory in whose paths a socket has room.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "set")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// writeCertificates writes a CA, and a certificate of it for a name.
func writeCertificates(t *testing.T, name string) connector.TLS {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put := func(file, kind string, bytes []byte) string {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return connector.TLS{Cert: put("cert.pem", "CERTIFICATE", der), Key: put("key.pem", "PRIVATE KEY", secret), CA: put("ca.pem", "CERTIFICATE", der)}
}
