package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
	"k8s.io/client-go/rest"

	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/kubernetestest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

func TestForbiddenPrintsTheRoleOnceAndWorksWhenItIsGranted(t *testing.T) {
	for _, mode := range []string{"watch: true", "watch: false"} {
		bubble(t, func(l *testBed) {
			l.put("s", "10.0.0.1")
			l.Deny("shop")
			l.run(mode)
			calls := l.after(10*time.Minute, "Fail")
			verbs := map[string]string{"watch: true": "list and watch", "watch: false": "list"}[mode]
			if err := calls[0].Err.Error(); !strings.Contains(err, "allow service account shop/cart to "+verbs+" endpointslices in namespace shop") {
				t.Errorf("error = %q, want what to allow to whom", err)
			}
			logged := l.logs.String()
			if n := strings.Count(logged, "kind: RoleBinding"); n != 1 {
				t.Errorf("%d RoleBindings logged in 10 min, want 1:\n%s", n, logged)
			}
			for _, want := range []string{`namespace: "shop"`, `apiGroups: ["discovery.k8s.io"]`, `resources: ["endpointslices"]`, `name: "cart"`,
				"verbs: [" + strings.ReplaceAll(verbs, " and ", ", ") + "]"} {
				if !strings.Contains(logged, want) {
					t.Errorf("the log lacks %s:\n%s", want, logged)
				}
			}
			l.Deny()
			l.after(2*time.Minute, "Set(10.0.0.1:7946)")
		})
	}
}

func TestTokenThatRotatesIsReadAgain(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.run("relist: 1m")
		l.after(soon, "Set(10.0.0.1:7946)")
		write(t, filepath.Join(l.dir, "token"), "token-2\n")
		l.Tokens("token-2")
		l.put("s", "10.0.0.2")
		l.after(10*time.Minute, "Set(10.0.0.2:7946)")
	})
}

func TestUnauthorizedFailsAndANewTokenRepairsIt(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.Tokens("token-2")
		l.run()
		calls := l.after(soon, "Fail")
		if err := calls[0].Err.Error(); !strings.Contains(err, "the token of service account shop/default is not accepted") {
			t.Errorf("error = %q, want that the token is not accepted", err)
		}
		if n := strings.Count(l.logs.String(), "kind: RoleBinding"); n != 1 {
			t.Errorf("%d RoleBindings logged, want 1:\n%s", n, l.logs)
		}
		write(t, filepath.Join(l.dir, "token"), "token-2")
		time.Sleep(30 * time.Second)
		l.since = len(l.Calls())
		l.after(time.Minute, "Set(10.0.0.1:7946)")
	})
}

func TestFilesOfTheServiceAccountThatAreMissingAreNamed(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"ca.crt", "CA of the API server: open "},
		{"token", "token of the service account: open "},
		{"namespace", "own namespace: set namespaces, or POD_NAMESPACE"},
	} {
		for _, mode := range []string{"watch: true", "watch: false"} {
			t.Run(c.file+" "+mode, func(t *testing.T) {
				t.Setenv("POD_NAMESPACE", "")
				bubble(t, func(l *testBed) {
					l.put("s", "10.0.0.1")
					content, err := os.ReadFile(filepath.Join(l.dir, c.file))
					if err != nil {
						t.Fatal(err)
					}
					remove(t, l.dir, c.file)
					l.run(mode)
					calls := l.after(soon, "Fail")
					if err := calls[0].Err.Error(); !strings.Contains(err, c.want) || !strings.Contains(err, c.file) {
						t.Errorf("error = %q, want %q and the file", err, c.want)
					}
					write(t, filepath.Join(l.dir, c.file), string(content))
					time.Sleep(time.Minute)
					l.since = len(l.Calls())
					l.after(time.Minute, "Set(10.0.0.1:7946)")
				})
			})
		}
	}
}

func TestANamespaceFromTheEnvironmentServesWithoutTheFile(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "shop")
	bubble(t, func(l *testBed) {
		remove(t, l.dir, "namespace")
		l.put("s", "10.0.0.1")
		l.run()
		l.after(soon, "Set(10.0.0.1:7946)")
	})
}

func TestACertificateOfAnotherCAIsRefusedUnlessInsecure(t *testing.T) {
	bubble(t, func(l *testBed) {
		write(t, filepath.Join(l.dir, "ca.crt"), strangeCA(t))
		l.put("s", "10.0.0.1")
		l.run()
		calls := l.after(soon, "Fail")
		if err := calls[0].Err.Error(); !strings.Contains(err, "certificate signed by unknown authority") {
			t.Errorf("error = %q, want that the certificate is not trusted", err)
		}
		write(t, filepath.Join(l.dir, "ca.crt"), string(l.CA())) // a CA that is replaced is read again
		time.Sleep(30 * time.Second)
		l.since = len(l.Calls())
		l.after(time.Minute, "Set(10.0.0.1:7946)")
	})
	bubble(t, func(l *testBed) {
		remove(t, l.dir, "ca.crt")
		l.put("s", "10.0.0.1")
		l.run("insecure: true")
		l.after(time.Hour, "Set(10.0.0.1:7946)")
		if n := strings.Count(l.logs.String(), "any server that answers gets the token"); n != 1 {
			t.Errorf("warned %d times, want once:\n%s", n, l.logs)
		}
	})
}

func TestOutsideOfAClusterIsReported(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	c := DefaultConfig()
	c.Service = "orders"
	_, _, err := newAPI(c, strategy.Env{Log: quietLog}).connect()
	if err == nil || !strings.Contains(err.Error(), "set kubeconfig, or api") {
		t.Errorf("error = %v, want what to set", err)
	}
}

func TestTheAPIServerIsFoundByTheEnvironment(t *testing.T) {
	bubble(t, func(l *testBed) {
		t.Setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
		t.Setenv("KUBERNETES_SERVICE_PORT", "6443")
		c := DefaultConfig()
		c.Service, c.ServiceAccount = "orders", l.dir
		cfg, ns, _, err := newAPI(c, strategy.Env{Log: quietLog}).inCluster()
		if err != nil || cfg.Host != "https://[fd00::1]:6443" || ns != "shop" {
			t.Errorf("inCluster() = %v, %q, %v", cfg, ns, err)
		}
	})
}

func TestKubeconfigWithAContext(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		path := filepath.Join(l.dir, "kubeconfig")
		write(t, path, kubeconfig(l.URL(), "ca.crt", "tokenFile: token"))
		l.run("kubeconfig: "+path, "context: lab")
		l.after(soon, "Set(10.0.0.1:7946)")
	})
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		path := filepath.Join(l.dir, "kubeconfig")
		l.run("kubeconfig: " + path)
		calls := l.after(soon, "Fail")
		if err := calls[0].Err.Error(); !strings.Contains(err, "kubeconfig: open "+path) {
			t.Errorf("error = %q, want the file that is missing", err)
		}
		write(t, path, kubeconfig(l.URL(), "ca.crt", "token: "+kubernetestest.Token))
		time.Sleep(time.Minute)
		l.since = len(l.Calls())
		l.after(soon*7, "Set(10.0.0.1:7946)")
	})
	bubble(t, func(l *testBed) {
		path := filepath.Join(l.dir, "kubeconfig")
		write(t, path, kubeconfig(l.URL(), "ca.crt", "token: x"))
		l.run("kubeconfig: "+path, "context: nowhere")
		calls := l.after(soon, "Fail")
		if err := calls[0].Err.Error(); !strings.Contains(err, "nowhere") {
			t.Errorf("error = %q, want the context that is missing", err)
		}
	})
}

// strangeCA returns a certificate that has signed nothing.
func strangeCA(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func kubeconfig(url, ca, user string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: admin, user: {%s}}]
contexts: [{name: lab, context: {cluster: lab, user: admin, namespace: shop}}]
current-context: lab
`, url, ca, user)
}

func TestWarningsAndClientGoSpeakThroughTheLogger(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = w
	defer func() { os.Stderr = stderr }()
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.Fault(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Warning", `299 - "v1 Something is deprecated in v1.99+"`)
			l.Serve(w, r)
		})
		l.run("relist: 1m")
		l.after(10*time.Minute, "Set(10.0.0.1:7946)")
		if n := strings.Count(l.logs.String(), "Something is deprecated"); n != 1 {
			t.Errorf("the warning is logged %d times, want once:\n%s", n, l.logs)
		}
		l.Fault(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("watch") { // an event of no kind, then one that is not JSON
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"type": "MODIFIED", "object": {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": 7}}`+"\n{]\n")
				return
			}
			l.Serve(w, r)
		})
		l.CutWatches()
		time.Sleep(time.Minute)
		remove(t, l.dir, "token")
		time.Sleep(10 * time.Minute)
		if l.logs.String() == "" || !strategytest.Has(strategytest.Fail)(l.Calls()) {
			t.Error("nothing was logged at all")
		}
	})
	os.Stderr = stderr
	w.Close()
	if raw, err := io.ReadAll(r); err != nil || len(raw) > 0 {
		t.Errorf("written to standard error: %s (%v)", raw, err)
	}
}

func TestTheServiceAccountStandsInTheToken(t *testing.T) {
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"sub": "system:serviceaccount:quay:crane"}`))
	path := filepath.Join(t.TempDir(), "token")
	write(t, path, "head."+claims+".tail")
	for _, c := range []struct {
		path, namespace string
		want            account
	}{
		{path, "shop", account{"crane", "quay"}},
		{"none", "shop", account{"default", "shop"}},
		{"none", "", account{"default", "default"}},
	} {
		if got := accountOf(&rest.Config{BearerTokenFile: c.path}, c.namespace); got != c.want {
			t.Errorf("accountOf(%s, %q) = %v, want %v", c.path, c.namespace, got, c.want)
		}
	}
}

func TestManifestIsWhatItClaims(t *testing.T) {
	c := DefaultConfig()
	c.Source, c.Namespaces = Pods, []string{"shop", "quay"}
	grants := c.Grants("own")
	if len(grants) != 2 || grants[1].Namespace != "quay" || grants[1].Group != "" || grants[1].Resource != "pods" {
		t.Fatalf("Grants = %v", grants)
	}
	decoder := yaml.NewDecoder(strings.NewReader(grants[1].Manifest("peers", "cart", "shop")))
	var docs []map[string]any
	for {
		var doc map[string]any
		if err := decoder.Decode(&doc); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
	}
	if len(docs) != 2 || docs[0]["kind"] != "Role" || docs[1]["kind"] != "RoleBinding" {
		t.Errorf("documents %v, want a Role and a RoleBinding", docs)
	}
}
