package http

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/strategy"
)

func TestValidateNamesTheKeyOfAMistake(t *testing.T) {
	headers := func(name string, value strategy.Secret) func(*Config) {
		return func(c *Config) { c.Headers = map[string]strategy.Secret{name: value} }
	}
	url := func(url string) func(*Config) { return func(c *Config) { c.URL = url } }
	for _, c := range []struct {
		want   string
		change func(*Config)
	}{
		{"url: set the address", url("")},
		{"url: this is not a URL", url("http://secret:%zz")},
		{`url: the scheme "ftp" is not`, url("ftp://peers.test")},
		{`url: the scheme "" is not`, url("peers.test/list")},
		{"url: a URL is printed", url("https://me:secret@peers.test")},
		{"url: the host is missing", url("https:///list")},
		{"url: the host is missing", url("https://:443/list")},
		{"url: what follows the #", url("https://peers.test/#x")},
		{`headers.a b: "a b" is not a valid`, headers("a b", "")},
		{"headers.if-none-match: this header is not for you", headers("if-none-match", "")},
		{"headers.X: the value holds", headers("X", "secret\r\nY: 1")},
		{"headers.authorization: token and the header", func(c *Config) { c.Token = "secret"; headers("authorization", "secret")(c) }},
		{"is there as", func(c *Config) { c.Headers = map[string]strategy.Secret{"x-a": "", "X-A": ""} }},
		{"token_file: token and token_file are", func(c *Config) { c.Token, c.TokenFile = "secret", "file" }},
		{"token: it holds", func(c *Config) { c.Token = "secret\n" }},
		{"key_file: a certificate and its key", func(c *Config) { c.CertFile = "file" }},
		{"cert_file: a certificate and its key", func(c *Config) { c.KeyFile = "file" }},
		{"ca_file: it is for https", func(c *Config) { c.URL, c.CAFile = "http://peers.test", "file" }},
		{"timeout: 0s", func(c *Config) { c.Timeout = 0 }},
		{"interval: 1m", func(c *Config) { c.Interval = time.Minute }},
	} {
		config := DefaultConfig()
		config.URL = "https://peers.test/list"
		c.change(&config)
		err := config.Validate()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v shows a secret", err)
		}
		if _, err := Kind.Configure(config); err == nil {
			t.Errorf("Configure takes it: %q", c.want)
		}
	}
}

func TestAnUnencryptedTokenIsWarnedOf(t *testing.T) {
	for url, warned := range map[string]bool{
		"http://peers.test": true, "https://peers.test": false, "http://127.0.0.1:80": false, "http://[::1]": false, "http://localhost": false,
	} {
		var logged bytes.Buffer
		config := DefaultConfig()
		config.URL, config.Token = url, "secret"
		configured, err := Kind.Configure(config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := configured.New(strategy.Env{Log: hclog.New(&hclog.LoggerOptions{Output: &logged})}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(logged.String(), "without encryption"); got != warned || strings.Contains(logged.String(), "secret") {
			t.Errorf("%s: logged %q", url, logged.String())
		}
	}
}

func TestSecretsAreReadFromYAMLAndNotPrinted(t *testing.T) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte("{url: 'https://a.test', headers: {X-Key: secret}, token: '${TOKEN}'}"), &doc); err != nil {
		t.Fatal(err)
	}
	reg, err := strategy.NewRegistry(Kind)
	if err != nil {
		t.Fatal(err)
	}
	c, err := reg.Configure("http", doc.Content[0], strategy.Source{LookupEnv: func(string) (string, bool) { return "hunter2", true }})
	if err != nil {
		t.Fatal(err)
	}
	config := c.Config.(Config)
	if config.Token != "hunter2" || config.Headers["X-Key"] != "secret" {
		t.Errorf("token and headers were not taken over")
	}
	out, err := yaml.Marshal(config)
	if err != nil || bytes.Contains(out, []byte("hunter2")) || bytes.Contains(out, []byte("secret")) {
		t.Errorf("%s, %v", out, err)
	}
}
