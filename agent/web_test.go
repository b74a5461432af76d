package agent_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/ops"
)

// startWeb starts a node that is alone, with this section http, and returns where it serves.
func (s site) startWeb(section string) (n *agent.Node, addr string) {
	s.t.Helper()
	path := s.write("a", ", expect: 1")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(text, "http: "+section+"\n"...), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if n, err = agent.Start(s.t.Context(), path, s.options("a")); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(n.Stop)
	formed(s.t, n)
	eventually(s.t, func() (bool, any) { return n.HTTP() != "", n.HTTP() })
	return n, n.HTTP()
}

// fetch sends a request and returns the status and the text of its answer.
func fetch(t *testing.T, c *http.Client, method, url, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%s %s has the headers %v", method, url, res.Header)
	}
	return res.StatusCode, string(text)
}

func (s site) token(name, token string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func TestPagesOfOtherSitesReadAndChangeNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.token("token", "secret")
	_, addr := s.startWeb(fmt.Sprintf("{listen: \"127.0.0.1:0\", token_file: %s, write: true}", token))
	const put = `{"value": "x"}`
	for _, c := range []struct {
		name, method, path string
		header             []string
		want               int
	}{
		{"a name that was made to point here", "GET", "/api/v1/status", []string{"Host", "evil.example"}, 421},
		{"a probe under such a name", "GET", "/livez", []string{"Host", "evil.example"}, 421},
		{"a change under such a name, which the browser takes for the same site", "PUT", "/api/v1/shared/k", []string{"Host", "evil.example", "Sec-Fetch-Site", "same-origin", "Authorization", "Bearer secret"}, 421},
		{"a change by a page of another site", "PUT", "/api/v1/shared/k", []string{"Sec-Fetch-Site", "cross-site", "Authorization", "Bearer secret"}, 403},
		{"a form of another site", "POST", "/api/v1/leave", []string{"Origin", "http://evil.example", "Content-Type", "text/plain"}, 403},
		{"a change with the token", "PUT", "/api/v1/shared/k", []string{"Authorization", "Bearer secret"}, 204},
		{"a change with another token", "PUT", "/api/v1/shared/k", []string{"Authorization", "Bearer secre"}, 401},
		{"a change without a token", "PUT", "/api/v1/shared/k", nil, 403},
		{"a value without a token", "GET", "/api/v1/shared/k", nil, 403},
		{"values without a token", "GET", "/api/v1/shared?values", nil, 403},
		{"keys without a token", "GET", "/api/v1/shared", nil, 200},
		{"a value with the token", "GET", "/api/v1/shared/k", []string{"Authorization", "Bearer secret"}, 200},
		{"a text for JSON", "PUT", "/api/v1/shared/k", []string{"Authorization", "Bearer secret", "Content-Type", "text/plain"}, 415},
		{"another version of the API", "GET", "/api/v2/status", nil, 404},
		{"another method", "POST", "/api/v1/status", nil, 405},
	} {
		body := ""
		if c.method != "GET" {
			body = put
		}
		code, text := fetch(t, http.DefaultClient, c.method, "http://"+addr+c.path, body, c.header...)
		if code != c.want || code >= 400 && !strings.Contains(text, `"detail"`) {
			t.Errorf("%s: %d %s, want %d", c.name, code, text, c.want)
		}
	}
	if code, text := fetch(t, http.DefaultClient, "GET", "http://"+addr+"/api/v2/status", ""); code != 404 || !strings.Contains(text, "serves version 1 of the API") {
		t.Errorf("another version = %d %s", code, text)
	}
	code, text := fetch(t, http.DefaultClient, "PUT", "http://"+addr+"/api/v1/shared/k", strings.Repeat(" ", 3<<20), "Authorization", "Bearer secret")
	if code != 413 || !strings.Contains(text, "larger than 2097152 bytes") {
		t.Errorf("a body that is too large = %d %s", code, text)
	}
	s.token("token", "other secret")
	if code, _ := fetch(t, http.DefaultClient, "GET", "http://"+addr+"/api/v1/shared/k", "", "Authorization", "Bearer other secret"); code != 200 {
		t.Errorf("after a change of the token = %d", code)
	}
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	if code, _ := fetch(t, http.DefaultClient, "GET", "http://"+addr+"/api/v1/shared/k", "", "Authorization", "Bearer other secret"); code != 200 {
		t.Errorf("after the loss of the token's file = %d", code)
	}
	eventually(t, func() (bool, any) { return strings.Contains(s.log.String(), "the last one stays in force"), s.log })
}

// otherAddr returns an address of this host that is not loopback.
func otherAddr(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	t.Skip("this host has no address but loopback")
	return ""
}

func TestOtherHostsGetProbesAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	host := otherAddr(t)
	_, addr := s.startWeb(fmt.Sprintf("{listen: \"0.0.0.0:0\", token_file: %s}", s.token("token", "secret")))
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + net.JoinHostPort(host, port)
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/readyz?verbose": 200, "/status": 404, "/api/v1/status": 403, "/api/v1/members": 403, "/api/v1/events": 403} {
		code, text := fetch(t, http.DefaultClient, "GET", url+path, "")
		if code != want || code == 200 && text != "ok\n" {
			t.Errorf("%s = %d %q, want %d", path, code, text, want)
		}
	}
	if code, _ := fetch(t, http.DefaultClient, "GET", url+"/api/v1/status", "", "Authorization", "Bearer secret"); code != 200 {
		t.Errorf("status with the token = %d", code)
	}
	if code, text := fetch(t, http.DefaultClient, "GET", "http://"+net.JoinHostPort("127.0.0.1", port)+"/readyz?verbose", ""); code != 200 || !strings.Contains(text, "[+] node ok\n") {
		t.Errorf("verbose on loopback = %d %q", code, text)
	}
	if code, text := fetch(t, http.DefaultClient, "POST", url+"/api/v1/leave", "", "Authorization", "Bearer secret"); code != 403 || !strings.Contains(text, "http.write") {
		t.Errorf("leave without http.write = %d %s", code, text)
	}
}

// issue writes a certificate and its key, issued by itself unless by another one, and returns the paths of both.
func (s site) issue(name string, parent *tls.Certificate) (cert tls.Certificate, certFile, keyFile string) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: parent == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	issuer, signer := template, any(key)
	if parent != nil {
		issuer, signer = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, signer)
	if err != nil {
		s.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(s.dir, name+".pem"), filepath.Join(s.dir, name+".key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	if cert, err = tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		s.t.Fatal(err)
	}
	return cert, certFile, keyFile
}

func TestAClientCertificateProvesARight(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ca, caFile, _ := s.issue("ca", nil)
	_, certFile, keyFile := s.issue("server", &ca)
	client, _, _ := s.issue("client", &ca)
	stranger, _, _ := s.issue("stranger", nil)
	_, addr := s.startWeb(fmt.Sprintf("{listen: \"127.0.0.1:0\", write: true, tls: {cert: %s, key: %s, client_ca: %s}}", certFile, keyFile, caFile))
	roots := x509.NewCertPool()
	roots.AddCert(ca.Leaf)
	with := func(certs ...tls.Certificate) *http.Client {
		c := &tls.Config{RootCAs: roots}
		if len(certs) > 0 { // shown whatever the server accepts
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certs[0], nil }
		}
		return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: c}}
	}
	if code, text := fetch(t, with(client), "PUT", "https://"+addr+"/api/v1/shared/k", `{"value": "x"}`); code != 204 {
		t.Errorf("a change with the certificate = %d %s", code, text)
	}
	if code, _ := fetch(t, with(), "PUT", "https://"+addr+"/api/v1/shared/k", `{"value": "x"}`); code != 403 {
		t.Errorf("a change without a certificate = %d, want 403", code)
	}
	if code, _ := fetch(t, with(), "GET", "https://"+addr+"/readyz", ""); code != 200 {
		t.Errorf("a probe without a certificate = %d, want 200", code)
	}
	if res, err := with(stranger).Get("https://" + addr + "/livez"); err == nil {
		_ = res.Body.Close()
		t.Errorf("a certificate of another authority = %s, want it refused", res.Status)
	}
}

func TestAUnixSocketIsServedForItsUserAndGroup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := filepath.Join(s.dir, "http.sock")
	n, addr := s.startWeb("{listen: \"unix:" + path + "\", write: true}")
	if addr != "unix:"+path {
		t.Errorf("HTTP = %s", addr)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v, want mode 660", info, err)
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
	if code, text := fetch(t, c, "PUT", "http://any.example/api/v1/shared/k", `{"value": "x"}`); code != 204 {
		t.Errorf("a change = %d %s", code, text)
	}
	n.Stop()
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there")
	}
}

func TestReadersThatAreStuckDelayNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	n, addr := s.startWeb("{listen: \"127.0.0.1:0\"}")
	open := func() *http.Response {
		res, err := http.DefaultClient.Get("http://" + addr + "/api/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	for range 31 { // none of them is read
		if res := open(); res.StatusCode != http.StatusOK {
			t.Fatalf("events = %s", res.Status)
		}
	}
	reads := open()
	if res := open(); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one reader too many = %s, want 503", res.Status)
	}
	ask[struct{}](t, n, http.MethodPost, "reload", nil)
	done := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(reads.Body)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data: ") && strings.Contains(lines.Text(), `"event":"reloaded"`) {
				done <- true
				return
			}
		}
		done <- false
	}()
	select {
	case got := <-done:
		if !got {
			t.Error("the stream ended before the event of the reload")
		}
	case <-time.After(deadline):
		t.Error("no event")
	}
}

func TestManyRequestsDoNotBlockTheNode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	n, addr := s.startWeb("{listen: \"127.0.0.1:0\"}")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	failed := make(chan string, 8)
	for range 8 {
		wg.Go(func() {
			for range 125 { // 1,000 in all
				res, err := client.Get("http://" + addr + "/api/v1/status")
				if err != nil {
					failed <- err.Error()
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		})
	}
	for range 20 {
		began := time.Now()
		if err := n.Gossip().Set(t.Context(), "k", "v"); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a write took %v", took)
		}
	}
	wg.Wait()
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
	if err := n.Live(); err != nil {
		t.Error(err)
	}
}

func TestAReaderOfEventsGoesOnAfterTheLastOneItHas(t *testing.T) {
	t.Parallel()
	n, _ := newSite(t).startWeb("{listen: \"127.0.0.1:0\"}")
	var kept []ops.Event
	eventually(t, func() (bool, any) {
		kept = nil
		err := json.NewDecoder(send(t, n, "GET", "/api/v1/events", "", "Accept", "application/json").Body).Decode(&kept)
		return err == nil && len(kept) >= 2, kept
	})
	for i, e := range kept[1:] {
		_, data := firstEvent(t, send(t, n, "GET", "/api/v1/events", "", "Accept", "text/event-stream", "Last-Event-ID", fmt.Sprint(kept[i].ID)))
		var got ops.Event
		if err := json.Unmarshal(data, &got); err != nil || got.ID != e.ID || got.Kind != e.Kind {
			t.Errorf("after %d comes %s, want %+v", kept[i].ID, data, e)
		}
	}
	if res := send(t, n, "GET", "/api/v1/events", "", "Accept", "text/event-stream", "Last-Event-ID", "first"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("an ID that is not a number = %s, want 400", res.Status)
	}
}
