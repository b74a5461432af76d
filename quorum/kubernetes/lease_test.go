package kubernetes

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/goconvoke/convoke/quorum"
)

// server keeps the leases of one namespace as an API server does.
type server struct {
	mu      sync.Mutex
	leases  map[string]map[string]any // by name
	version int
	status  int // answered to everything, 0: none
	token   string
}

const path = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/"

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, ok := strings.CutPrefix(r.URL.Path, path)
	if !ok {
		name, ok = "", r.URL.Path == strings.TrimSuffix(path, "/")
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case !ok || err != nil:
		s.answer(w, http.StatusBadRequest, nil)
	case s.status != 0:
		s.answer(w, s.status, map[string]any{"message": "leases is forbidden"})
	case r.Header.Get("Authorization") != "Bearer "+s.token:
		s.answer(w, http.StatusUnauthorized, nil)
	default:
		s.serve(w, r.Method, name, body)
	}
}

func (s *server) serve(w http.ResponseWriter, method, name string, body []byte) {
	var in struct {
		Metadata struct {
			Name, ResourceVersion string
			Annotations           map[string]string
		}
	}
	if method != http.MethodGet && json.Unmarshal(body, &in) != nil {
		s.answer(w, http.StatusBadRequest, nil)
		return
	}
	if method == http.MethodPost {
		name = in.Metadata.Name
	}
	have := s.leases[name]
	switch {
	case method == http.MethodPost && have != nil, method == http.MethodPatch && have != nil && in.Metadata.ResourceVersion != have["resourceVersion"]:
		s.answer(w, http.StatusConflict, nil)
	case method != http.MethodPost && have == nil:
		s.answer(w, http.StatusNotFound, nil)
	case method == http.MethodGet:
		s.answer(w, http.StatusOK, map[string]any{"metadata": have})
	default:
		s.version++
		s.leases[name] = map[string]any{"name": name, "resourceVersion": strconv.Itoa(s.version), "annotations": in.Metadata.Annotations}
		s.answer(w, http.StatusCreated, nil)
	}
}

func (s *server) answer(w http.ResponseWriter, status int, o any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(o)
}

// start starts a server and returns a Lease of it.
func start(t *testing.T, c Config) (*server, *Lease) {
	t.Helper()
	s := &server{leases: map[string]map[string]any{}, token: "first"}
	h := httptest.NewTLSServer(s)
	t.Cleanup(h.Close)
	c.API, c.ServiceAccount = h.URL, t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	for name, text := range map[string]string{"token": "first\n", "ca.crt": string(ca), "namespace": "shop"} {
		write(t, c.ServiceAccount, name, text)
	}
	return s, New(c)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstToWriteIsReadByAllAndAnOldVersionIsRefused(t *testing.T) {
	_, l := start(t, Config{Cluster: "orders"})
	var arbiter quorum.Arbiter = l
	if text, version, err := arbiter.Read(t.Context()); text != "" || version != "" || err != nil {
		t.Fatalf("Read before any Write = %q, %q, %v", text, version, err)
	}
	if err := arbiter.Write(t.Context(), "first", ""); err != nil {
		t.Fatal(err)
	}
	if err := arbiter.Write(t.Context(), "second", ""); !errors.Is(err, quorum.ErrConflict) {
		t.Errorf("a second first Write = %v, want ErrConflict", err)
	}
	text, version, err := arbiter.Read(t.Context())
	if text != "first" || version == "" || err != nil {
		t.Fatalf("Read = %q, %q, %v", text, version, err)
	}
	if err := arbiter.Write(t.Context(), "third", version); err != nil {
		t.Fatal(err)
	}
	if err := arbiter.Write(t.Context(), "fourth", version); !errors.Is(err, quorum.ErrConflict) {
		t.Errorf("Write of an old version = %v, want ErrConflict", err)
	}
	if text, _, _ := arbiter.Read(t.Context()); text != "third" {
		t.Errorf("Read = %q, want third", text)
	}
	if got := arbiter.String(); got != "lease shop/convoke-orders" {
		t.Errorf("String = %q", got)
	}
}

func TestALeaseThatIsDeletedBetweenReadAndWriteIsAConflict(t *testing.T) {
	_, l := start(t, Config{Cluster: "orders"})
	if err := l.Write(t.Context(), "text", "7"); !errors.Is(err, quorum.ErrConflict) {
		t.Errorf("Write = %v, want ErrConflict", err)
	}
}

func TestALeaseOfAnotherProgramIsNotTouched(t *testing.T) {
	s, l := start(t, Config{Cluster: "x", Lease: "theirs"})
	s.leases["theirs"] = map[string]any{"resourceVersion": "1"}
	if _, _, err := l.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "lease shop/theirs is there and is not of convoke") {
		t.Errorf("Read = %v", err)
	}
}

func TestARefusalNamesWhatTheServiceAccountNeeds(t *testing.T) {
	s, l := start(t, Config{Cluster: "orders"})
	s.status = http.StatusForbidden
	_, _, err := l.Read(t.Context())
	for _, want := range []string{"403", "leases is forbidden", "get, create, patch", "convoke manifest"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Read = %v, want %q in it", err, want)
		}
	}
	s.status = http.StatusInternalServerError
	if err := l.Write(t.Context(), "text", ""); err == nil || strings.Contains(err.Error(), "convoke manifest") || !strings.Contains(err.Error(), "500") {
		t.Errorf("Write = %v", err)
	}
}

func TestANewTokenCountsAtOnce(t *testing.T) {
	s, l := start(t, Config{Cluster: "orders"})
	s.token = "second"
	if _, _, err := l.Read(t.Context()); err == nil {
		t.Error("an old token is taken")
	}
	write(t, l.config.ServiceAccount, "token", "second")
	if _, _, err := l.Read(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsMissingInTheEnvironmentIsNamed(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("POD_NAMESPACE", "")
	dir := t.TempDir()
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Namespace: "shop", ServiceAccount: dir}, "this is not a pod"},
		{Config{API: "https://127.0.0.1:1", ServiceAccount: dir}, "own namespace"},
		{Config{API: "https://127.0.0.1:1", Namespace: "shop", ServiceAccount: dir}, "token of the service account"},
	} {
		if _, _, err := New(c.config).Read(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.want)
		}
	}
	write(t, dir, "token", "t")
	write(t, dir, "ca.crt", "no certificate")
	if _, _, err := New(Config{API: "https://127.0.0.1:1", Namespace: "shop", ServiceAccount: dir}).Read(t.Context()); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("Read = %v", err)
	}
}

func TestTwoClustersNeverShareALease(t *testing.T) {
	if got := LeaseName("orders-eu"); got != "convoke-orders-eu" {
		t.Errorf("LeaseName = %q", got)
	}
	seen := map[string]string{}
	for _, id := range []string{"a b", "a-b", "A-b", "a.b", strings.Repeat("x", 100), strings.Repeat("x", 101), "é", "-"} {
		name := LeaseName(id)
		if other, taken := seen[name]; taken || len(name) > 63 || notInNames.MatchString(strings.ReplaceAll(name, "-", "")) {
			t.Errorf("LeaseName(%q) = %q, taken by %q", id, name, other)
		}
		seen[name] = id
	}
}
