package transport

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCertificatesAreTakenOverWhenTheyAreRefreshed(t *testing.T) {
	a := authority(t)
	dir := t.TempDir()
	a.write(t, dir, "before", time.Hour)
	rotated, other := load(t, dir), a.node(t, "other", time.Hour)
	if p := connect(t, rotated, other); !p.server.Proves("before") {
		t.Fatal("the first certificate is not used")
	}
	a.write(t, dir, "after-it", 30*time.Minute)
	now := time.Now()
	rotated.Refresh(now)
	if p := connect(t, rotated, other); !p.server.Proves("after-it") {
		t.Error("the new certificate is not used")
	}
	s := rotated.SecurityState()
	if s.Kind != KindTLS || !slices.Equal(s.Names, []string{"after-it"}) || !s.TakenOver.Equal(now) || s.Serial != "2" ||
		!slices.Equal(s.Authorities, []string{"test"}) || s.NotAfter.After(now.Add(time.Hour)) || s.NotAfter.Before(now) {
		t.Errorf("SecurityState = %+v", s)
	}
}

func TestFilesThatDoNotFitTogetherAreNotTakenOver(t *testing.T) {
	a, another := authority(t), authority(t)
	good := t.TempDir()
	a.write(t, good, "node", time.Hour)
	for _, c := range []struct {
		name, want string
		spoil      func(dir string)
	}{
		{"a certificate that is half written", "certificate", func(dir string) { overwrite(t, dir, "cert.pem", "half") }},
		{"the key of another certificate", "does not match", func(dir string) {
			a.write(t, dir, "node", time.Hour)
			move(t, filepath.Join(good, "key.pem"), dir)
		}},
		{"a file that is gone", "no such file", func(dir string) { _ = os.Remove(filepath.Join(dir, "ca.pem")) }},
		{"authorities that are none", "holds no certificate", func(dir string) { overwrite(t, dir, "ca.pem", "none") }},
		{"a certificate that has ended", "expired", func(dir string) { a.write(t, dir, "node", -time.Minute) }},
		{"an authority that has not signed the certificate", "unknown authority", func(dir string) {
			spare := t.TempDir()
			another.write(t, spare, "node", time.Hour)
			move(t, filepath.Join(spare, "ca.pem"), dir)
		}},
		{"a certificate without the name", `"stranger"`, func(dir string) { a.write(t, dir, "stranger", time.Hour) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			a.write(t, dir, "node", time.Hour)
			s, other := load(t, dir), a.node(t, "other", time.Hour)
			if err := s.RequireName("node"); err != nil {
				t.Fatal(err)
			}
			before := s.SecurityState()
			c.spoil(dir)
			now := time.Now()
			s.Refresh(now)
			if st := s.SecurityState(); st.Err != nil {
				t.Errorf("files that may be in the middle of a replacement are reported: %v", st.Err)
			}
			s.Refresh(now.Add(5 * time.Second))
			s.Refresh(now.Add(10 * time.Second))
			st := s.SecurityState()
			if st.Err == nil || !strings.Contains(st.Err.Error(), c.want) || !st.Failed.Equal(now) || !st.TakenOver.Equal(before.TakenOver) {
				t.Errorf("SecurityState = %+v, want %q since %v", st, c.want, now)
			}
			if p := connect(t, s, other); p.serverErr != nil || !p.server.Proves("node") {
				t.Errorf("with the old pair: %v", p.serverErr)
			}
			a.write(t, dir, "node", time.Hour)
			s.Refresh(now.Add(15 * time.Second))
			if st := s.SecurityState(); st.Err != nil || !st.Failed.IsZero() || !st.TakenOver.Equal(now.Add(15*time.Second)) {
				t.Errorf("after good files: %+v", st)
			}
		})
	}
}

func overwrite(t *testing.T, dir, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// move copies a file into a directory under its name.
func move(t *testing.T, from, dir string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, dir, filepath.Base(from), string(b))
}

func TestAStreamIsRefusedOnceTheCertificateOfTheOtherSideEnds(t *testing.T) {
	a := authority(t)
	p := connect(t, a.node(t, "short", 10*time.Minute), a.node(t, "other", time.Hour))
	v := p.server.(Verifier)
	if err := v.Verify(time.Now()); err != nil {
		t.Errorf("at once: %v", err)
	}
	if err := v.Verify(time.Now().Add(11 * time.Minute)); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("after its end: %v, want ErrUntrusted", err)
	}
	if err := p.client.(Verifier).Verify(time.Now().Add(11 * time.Minute)); err != nil {
		t.Errorf("the side with the longer one: %v", err)
	}
}

func TestAStreamIsRefusedOnceItsAuthorityIsNotTrusted(t *testing.T) {
	old, next := authority(t), authority(t)
	dir, spare := t.TempDir(), t.TempDir()
	old.write(t, dir, "node", time.Hour)
	node, other := load(t, dir), old.node(t, "other", time.Hour)
	p := connect(t, other, node)
	next.write(t, spare, "node", time.Hour)
	both, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := os.ReadFile(filepath.Join(spare, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, dir, "ca.pem", string(both)+string(more))
	node.Refresh(time.Now())
	if err := p.server.(Verifier).Verify(time.Now()); err != nil {
		t.Errorf("with both authorities: %v", err)
	}
	next.write(t, dir, "node", time.Hour)
	node.Refresh(time.Now())
	if err := p.server.(Verifier).Verify(time.Now()); !errors.Is(err, ErrUntrusted) {
		t.Errorf("without the old authority: %v, want ErrUntrusted", err)
	}
}

func TestACertificateOfAnotherNameOrAuthorityIsRefusedAtTheStart(t *testing.T) {
	a, another := authority(t), authority(t)
	if err := a.node(t, "one", time.Hour).RequireName("two"); err == nil || !strings.Contains(err.Error(), `"two"`) {
		t.Errorf("RequireName = %v, want an error with the name", err)
	}
	dir, spare := t.TempDir(), t.TempDir()
	a.write(t, dir, "one", time.Hour)
	another.write(t, spare, "one", time.Hour)
	move(t, filepath.Join(spare, "ca.pem"), dir)
	_, err := NewTLS(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem"))
	if err == nil || !strings.Contains(err.Error(), "cert.pem") || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("NewTLS = %v, want the file and the reason", err)
	}
}

func TestPreSharedKeysAreReplacedUnderStreamsInUse(t *testing.T) {
	a, b := psk(t, key(1)), psk(t, key(1))
	p := connect(t, a, b)
	v := p.client.(Verifier)
	for _, s := range []*PSK{a, b} { // add
		must(t, s.SetKeys(key(1), key(2)))
	}
	exchange(t, connect(t, a, b))
	for _, s := range []*PSK{a, b} { // use
		must(t, s.SetKeys(key(2), key(1)))
		exchange(t, connect(t, a, b))
		exchange(t, connect(t, b, a))
	}
	if err := v.Verify(time.Now()); err != nil {
		t.Errorf("a stream of the old key, which is accepted still: %v", err)
	}
	before := a.SecurityState()
	must(t, a.SetKeys(key(2))) // remove
	if err := v.Verify(time.Now()); !errors.Is(err, ErrUntrusted) || errors.Is(err, ErrKey) {
		t.Errorf("a stream of the old key: %v, want ErrUntrusted", err)
	}
	exchange(t, connect(t, a, b))
	after := a.SecurityState()
	if len(before.KeyIDs) != 2 || len(before.KeyIDs[0]) != 8 || !slices.Equal(after.KeyIDs, before.KeyIDs[:1]) || before.KeyIDs[0] == before.KeyIDs[1] ||
		after.Kind != KindPSK || !after.TakenOver.After(before.TakenOver) {
		t.Errorf("SecurityState before %+v, after %+v", before, after)
	}
	if err := a.SetKeys(); err == nil || !slices.Equal(a.SecurityState().KeyIDs, after.KeyIDs) {
		t.Errorf("no keys: %v, %+v", err, a.SecurityState())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
