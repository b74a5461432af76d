package integration

import (
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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/agent"
)

const (
	takenWithin  = 30 * time.Second       // for an agent to take over files that were replaced; it looks every 5 s
	writersEvery = 250 * time.Millisecond // of each of five agents: 20 writes a second in all
)

// authority issues the certificates of nodes.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64 // serial number
}

// newAuthority returns an authority whose certificates have serial numbers above first.
func newAuthority(t *testing.T, name string, first int64) *authority {
	t.Helper()
	a := &authority{t: t, next: first}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, key := a.sign(template)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, a.key = cert, key
	return a
}

// sign signs a certificate; the first one signs itself.
func (a *authority) sign(template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return der, key
}

// issue writes a certificate and its key, and returns the serial number in hex.
func (a *authority) issue(dir, name string) (serial string) {
	a.t.Helper()
	a.next++
	der, key := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(a.next), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
	})
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	writePEM(a.t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der)
	writePEM(a.t, filepath.Join(dir, name+".key"), "EC PRIVATE KEY", secret)
	return fmt.Sprintf("%x", a.next)
}

func writePEM(t *testing.T, path, kind string, ders ...[]byte) {
	t.Helper()
	var text []byte
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// secureFleet makes five agents with these settings one cluster, and has them write until the function that it returns is called: that
// checks that no member was missed and no write lost.
func secureFleet(t *testing.T, security string) (f *fleet, check func()) {
	t.Helper()
	f = durable(t, 5)
	f.spec.Expect, f.spec.Security = 5, security
	f.start(to(5)...)
	f.whole(formWithin)
	f.settles(5*time.Second, formWithin)
	since := time.Now()
	var writers []*writer
	for _, i := range to(5) {
		writers = append(writers, f.writes(i, writersEvery, func(n int) (string, string) { return fmt.Sprintf("%s/%d", name(i), n), fmt.Sprint(n) }))
	}
	return f, func() {
		t.Helper()
		want := map[string]string{}
		for i, w := range writers {
			w.goesOn(t, 4, takenWithin)
			w.stop()
			for n := range w.done.Load() {
				want[fmt.Sprintf("%s/%d", name(i+1), n)] = fmt.Sprint(n)
			}
		}
		f.holds(formWithin, state{Shared: want, Own: map[string]map[string]string{}})
		t.Logf("%d writes in %v", len(want), time.Since(since).Round(time.Second))
		for _, i := range to(5) {
			for _, e := range f.agents[i].Events(since) {
				if e.Event == "members" {
					t.Errorf("%s missed a member %v after the start: %v", name(i), e.At.Sub(since), e.Members)
				}
			}
		}
	}
}

func TestAuthorityAndCertificatesAreReplacedUnderWrites(t *testing.T) {
	t.Parallel()
	old, next, dir := newAuthority(t, "old", 0x1000), newAuthority(t, "next", 0x2000), t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	writePEM(t, ca, "CERTIFICATE", old.cert.Raw)
	for _, i := range to(5) {
		old.issue(dir, name(i))
	}
	f, check := secureFleet(t, fmt.Sprintf("tls: {cert: %[1]s/NAME.pem, key: %[1]s/NAME.key, ca: %[1]s/ca.pem}", dir))
	trust := func(names string, authorities ...*authority) {
		var ders [][]byte
		for _, a := range authorities {
			ders = append(ders, a.cert.Raw)
		}
		writePEM(t, ca, "CERTIFICATE", ders...)
		for _, i := range to(5) {
			f.logs(i, takenWithin, "certificates taken into use", "authorities=["+names+"]")
		}
	}
	trust(`"old", "next"`, old, next)
	for _, i := range to(5) {
		serial := next.issue(dir, name(i))
		f.logs(i, takenWithin, "certificates taken into use", "serial="+serial)
	}
	trust(`"next"`, next)
	f.someCloses()
	if err := os.WriteFile(filepath.Join(dir, "h1.pem"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.logs(1, takenWithin, "certificates cannot be taken over")
	wait(t, 12*time.Second)
	if n := f.agents[1].LogKinds()["certificates cannot be taken over; those before stay in use"]; n != 1 {
		t.Errorf("a broken file was logged %d times, want once", n)
	}
	check()
}

func TestPreSharedKeysAreReplacedUnderWrites(t *testing.T) {
	t.Parallel()
	key := func(b byte) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune('a'+b)), 32)))
	}
	keys := func(all ...byte) string {
		var texts []string
		for _, b := range all {
			texts = append(texts, key(b))
		}
		return "keys: [" + strings.Join(texts, ", ") + "]"
	}
	f, check := secureFleet(t, keys(1))
	for _, step := range []string{keys(1, 2), keys(2, 1), keys(2)} { // add, use, remove
		for _, i := range to(5) {
			before := f.agents[i].LogKinds()["pre-shared keys taken into use"]
			s := f.agents[i].Spec
			s.Security = step
			f.agents[i].Reload(t, s)
			f.waitFor(takenWithin, name(i)+" takes keys into use", func() bool {
				return f.agents[i].LogKinds()["pre-shared keys taken into use"] > before
			})
		}
	}
	f.someCloses()
	check()
}

// someCloses waits until a node has closed streams by what is not trusted any longer. A node may have none left when it looks: others closed
// them before.
func (f *fleet) someCloses() {
	f.t.Helper()
	f.waitFor(takenWithin, "streams of what was taken away are closed", func() bool {
		return slices.ContainsFunc(f.agents[1:], func(a *agent.Agent) bool {
			return a.LogKinds()["closed streams whose other side has to show another certificate or key"] > 0
		})
	})
}

// waitFor waits until a condition holds.
func (f *fleet) waitFor(within time.Duration, what string, cond func() bool) {
	f.t.Helper()
	for late := time.Now().Add(within); !cond(); wait(f.t, pollEvery) {
		if time.Now().After(late) || f.t.Context().Err() != nil {
			f.t.Fatalf("%s: not within %v", what, within)
		}
	}
}

func TestANodeWhoseNameWasTakenComesBackWhenTheOtherProcessIsGone(t *testing.T) {
	t.Parallel()
	f := durablyFormed(t, 3)
	f.settles(2*time.Second, formWithin) // of two processes that have just started either may be taken for the older one
	s := f.spec
	s.Name, s.Listen, s.DataDir = name(2), "0.0.0.0:7999", filepath.Join(f.disks, "twin")
	older := f.agents[2]
	twin := agent.Start(t, f.lab, 3, s)
	f.waitFor(lossWithin, "the older process reports the conflict", func() bool {
		return slices.ContainsFunc(older.Events(time.Time{}), func(e agent.Event) bool {
			return e.Event == "name_conflict" && strings.Contains(e.Peer, f.lab.IP(3)+":7999")
		})
	})
	out, err := older.Ask(t.Context(), "status")
	if !strings.Contains(out, f.lab.IP(3)+":7999") {
		t.Errorf("status does not name the other process: %v\n%s", err, out)
	}
	wait(t, 10*time.Second)
	if !twin.Running() || !slices.Equal(f.agents[1].Members(), names(to(3))) {
		t.Errorf("while both run h1 sees %v", f.agents[1].Members())
	}
	if err := twin.Stop(); err != nil {
		t.Error(err)
	}
	f.waitFor(lossWithin, "the older process comes back", func() bool {
		return slices.ContainsFunc(older.Events(time.Time{}), func(e agent.Event) bool { return e.Event == "name_regained" })
	})
	f.settles(5*time.Second, formWithin)

	third := agent.Start(t, f.lab, 3, s)
	f.logs(2, lossWithin, "another process has this node's name")
	f.waitFor(lossWithin, "a second conflict", func() bool {
		n := 0
		for _, e := range older.Events(time.Time{}) {
			if e.Event == "name_conflict" {
				n++
			}
		}
		return n == 2
	})
	if err := older.Terminate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), formWithin)
	defer cancel()
	if code, err := older.ExitCode(ctx); code != 3 || err != nil {
		t.Errorf("the node that was out ended with %d, %v, want 3", code, err)
	}
	if !third.Running() {
		t.Error("the other process has ended")
	}
}
