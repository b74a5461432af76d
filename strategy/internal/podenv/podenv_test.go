package podenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/peer"
)

func TestOwnAddressDecidesTheFamily(t *testing.T) {
	self := func(addrs ...string) (all []peer.Peer) {
		for _, a := range addrs {
			all = append(all, peer.Peer{Addr: a})
		}
		return all
	}
	for _, tc := range []struct {
		self  []peer.Peer
		podIP string
		want  bool
	}{
		{nil, "", false},
		{nil, "fd00::1", true},
		{nil, "10.0.0.1", false},
		{self("[fd00::1]:1", "10.0.0.1:1"), "10.0.0.1", true},
		{self("10.0.0.1:1", "[fd00::1]:1"), "fd00::1", false},
		{self("0.0.0.0:1"), "fd00::1", true},
		{self("node.test:1", "[fd00::1]:1"), "", true},
		{self("[::ffff:10.0.0.1]:1"), "fd00::1", false},
	} {
		t.Setenv("POD_IP", tc.podIP)
		if got := PrefersIPv6(tc.self); got != tc.want {
			t.Errorf("PrefersIPv6 = %v, want %v: %+v", got, tc.want, tc)
		}
	}
}

func TestNamespaceComesFromTheFileAndElseFromTheVariable(t *testing.T) {
	dir := t.TempDir()
	if _, err := Namespace(dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "namespace")) {
		t.Errorf("without both: %v, want an error that names the file", err)
	}
	path := filepath.Join(dir, "namespace")
	if err := os.WriteFile(path, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Namespace(dir); err == nil || !strings.Contains(err.Error(), path+" is empty") {
		t.Errorf("with an empty file: %v, want that it is empty", err)
	}
	t.Setenv("POD_NAMESPACE", "quay")
	if ns, err := Namespace(dir); err != nil || ns != "quay" {
		t.Errorf("with an empty file and the variable: %q, %v", ns, err)
	}
	if err := os.WriteFile(path, []byte("shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ns, err := Namespace(dir); err != nil || ns != "shop" {
		t.Errorf("with both: %q, %v, want that of the file", ns, err)
	}
}

func TestClusterDomainComesFromTheVariableAndElseFromTheSearchNames(t *testing.T) {
	for _, c := range []struct {
		env    string
		search []string
		want   string
		found  bool
	}{
		{"", nil, DefaultDomain, false},
		{"", []string{"shop.svc.Corp.Test.", "svc.Corp.Test.", "corp.test"}, "corp.test", true},
		{"", []string{"svc.", "example.com"}, DefaultDomain, false},
		{".Other.Test.", []string{"svc.corp.test"}, "other.test", true},
	} {
		t.Setenv("CLUSTER_DOMAIN", c.env)
		if got, found := ClusterDomain(c.search); got != c.want || found != c.found {
			t.Errorf("ClusterDomain(%q) with CLUSTER_DOMAIN=%q = %q, %t, want %q, %t", c.search, c.env, got, found, c.want, c.found)
		}
	}
}
