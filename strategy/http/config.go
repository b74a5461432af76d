package http

import (
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/strategy"
)

// Config is the server to ask and how.
type Config struct {
	URL string `yaml:"url"` // required; http or https

	// Headers are sent along with every request. Their values are never printed.
	Headers   map[string]strategy.Secret `yaml:"headers"`
	Token     strategy.Secret            `yaml:"token"`      // sent as "Authorization: Bearer"
	TokenFile string                     `yaml:"token_file"` // instead of token; read for every request, at most 64 KiB

	// The files are in PEM, at most 1 MiB each, and looked at before every request.
	CAFile     string `yaml:"ca_file"`     // authorities that may have signed the server's certificate; "" means the authorities of the system
	CertFile   string `yaml:"cert_file"`   // of this client; goes with KeyFile
	KeyFile    string `yaml:"key_file"`    // of this client; goes with CertFile
	ServerName string `yaml:"server_name"` // in the server's certificate; "" means the host of URL

	// The labels that become fields of a peer; "" means none. All others become its Attrs.
	IDLabel   string `yaml:"id_label"`
	ZoneLabel string `yaml:"zone_label"`

	strategy.VersionConfig `yaml:",inline"` // whether peers of other versions are left out

	strategy.PollConfig `yaml:",inline"`
}

// DefaultConfig asks every 5 s and gives each request 10 s. It names no URL.
func DefaultConfig() Config {
	return Config{VersionConfig: strategy.DefaultVersion(), PollConfig: strategy.PollConfig{Interval: 5 * time.Second, Timeout: 10 * time.Second}}
}

// Validate reports what cannot work, all of it.
func (c Config) Validate() error {
	errs := []error{c.PollConfig.Validate(), c.VersionConfig.Validate()}
	bad := func(key, format string, args ...any) {
		errs = append(errs, strategy.At(key, fmt.Errorf(format, args...)))
	}
	c.validateURL(bad)
	c.validateHeaders(bad)
	c.validateFiles(bad)
	return errors.Join(errs...)
}

type addError func(key, format string, args ...any)

func (c Config) validateURL(bad addError) {
	if c.URL == "" {
		bad("url", "set the address of the list, such as https://inventory.internal/peers.json")
		return
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil: // it would quote the URL, with what it may hide
		bad("url", "this is not a URL, such as https://inventory.internal/peers.json")
	case u.Scheme != "http" && u.Scheme != "https":
		bad("url", "the scheme %q is not http or https", u.Scheme)
	case u.User != nil:
		bad("url", "a URL is printed, so it holds no password; use token_file, token or headers")
	case u.Hostname() == "":
		bad("url", "the host is missing, as in https://inventory.internal/peers.json")
	case u.Fragment != "":
		bad("url", "what follows the # never reaches a server; leave it out")
	}
}

// reservedHeaders are the headers that the strategy sets itself.
var reservedHeaders = []string{"Accept", "Accept-Encoding", "Connection", "Content-Length", "If-Modified-Since", "If-None-Match", "Range",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent"}

func (c Config) validateHeaders(bad addError) {
	first := make(map[string]string, len(c.Headers))
	for name, value := range c.Headers {
		key, canonical := "headers."+name, textproto.CanonicalMIMEHeaderKey(name)
		switch other, twice := first[canonical]; {
		case !isToken(name):
			bad(key, "%q is not a valid header name", name)
		case twice:
			bad(key, "this header is there as %q already", other)
		case slices.Contains(reservedHeaders, canonical):
			bad(key, "this header is not for you to set: the strategy does")
		case canonical == "Authorization" && (c.Token != "" || c.TokenFile != ""):
			bad(key, "token and the header Authorization are mutually exclusive")
		case !isHeaderValue(string(value)):
			bad(key, "the value holds a line break or another control character")
		}
		first[canonical] = name
	}
	if c.Token != "" && c.TokenFile != "" {
		bad("token_file", "token and token_file are mutually exclusive")
	}
	if !isHeaderValue(string(c.Token)) {
		bad("token", "it holds a line break or another control character")
	}
}

func (c Config) validateFiles(bad addError) {
	if (c.CertFile == "") != (c.KeyFile == "") {
		missing := "key_file"
		if c.CertFile == "" {
			missing = "cert_file"
		}
		bad(missing, "a certificate and its key go together; name both files or none")
	}
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "http" {
		return
	}
	for _, f := range []struct{ key, value string }{
		{"ca_file", c.CAFile}, {"cert_file", c.CertFile}, {"key_file", c.KeyFile}, {"server_name", c.ServerName},
	} {
		if f.value != "" {
			bad(f.key, "it is for https, but the url begins with http:")
		}
	}
}

// isToken reports whether s may be the name of a header (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for _, r := range s {
		alphanumeric := r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) {
			return false
		}
	}
	return s != ""
}

// isHeaderValue reports whether s may be the value of a header (RFC 9110 §5.5).
func isHeaderValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
