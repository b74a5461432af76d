package cluster

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// HTTP is the section "http" of a file: where the node serves its API, and for whom. It is plain data, as [Quorum] is.
type HTTP struct {
	// Listen is the host:port to listen on, where port 0 takes a free one, or unix: and the path of a socket.
	Listen string `yaml:"listen"`
	// Names are the names, besides localhost, under which the node may be asked. IP addresses are always accepted. The check keeps pages of
	// other sites, whose names are made to point here, from reading what browsers can reach.
	Names []string `yaml:"names"`
	// TokenFile has the token that a request proves its right with: Authorization: Bearer TOKEN. It is read again when it changes.
	TokenFile string `yaml:"token_file"`
	// TLS serves HTTPS.
	TLS HTTPTLS `yaml:"tls"`
	// Write lets requests with the token, with a client certificate, or over a unix socket change things.
	Write bool `yaml:"write"`
}

// HTTPTLS names files in PEM form. They are read again when they change.
type HTTPTLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	// ClientCA is the authority of the certificates that clients may prove their right with; "": none may.
	ClientCA string `yaml:"client_ca"`
}

// UnixPrefix stands before the path of a socket in HTTP.Listen.
const UnixPrefix = "unix:"

// DefaultHTTP returns what holds where the section is silent: loopback alone.
func DefaultHTTP() HTTP { return HTTP{Listen: "127.0.0.1:7947"} }

// Unix returns the path of the socket to listen on; ok is false if there is an address instead.
func (h *HTTP) Unix() (path string, ok bool) { return strings.CutPrefix(h.Listen, UnixPrefix) }

// Validate reports all that is wrong with h, placed in the section. It reads no file.
func (h *HTTP) Validate() error {
	errs := []error{strictyaml.At("listen", h.checkListen())}
	for i, name := range h.Names {
		if _, _, err := net.SplitHostPort(name); name == "" || err == nil {
			errs = append(errs, strictyaml.At(fmt.Sprintf("names[%d]", i), fmt.Errorf("%q: want the name of a host, without a port", name)))
		}
	}
	if (h.TLS.Cert == "") != (h.TLS.Key == "") {
		errs = append(errs, strictyaml.At("tls", errors.New("cert and key belong together; give both or none")))
	} else if h.TLS.ClientCA != "" && h.TLS.Cert == "" {
		errs = append(errs, strictyaml.At("tls.client_ca", errors.New("cert and key are needed too: without TLS no client shows a certificate")))
	}
	if _, unix := h.Unix(); h.Write && !unix && h.TokenFile == "" && h.TLS.ClientCA == "" {
		errs = append(errs, strictyaml.At("write", errors.New("whoever reaches the port could remove members: give token_file or tls.client_ca too, or listen on unix:/PATH")))
	}
	return errors.Join(errs...)
}

func (h *HTTP) checkListen() error {
	if path, unix := h.Unix(); unix {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("%q: want an absolute path behind %s", h.Listen, UnixPrefix)
		}
		return nil
	}
	_, port, err := net.SplitHostPort(h.Listen)
	if err != nil {
		return fmt.Errorf("%q: want host:port, such as %s, or unix:/PATH", h.Listen, DefaultHTTP().Listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q: port %q is not a number in 0..65535", h.Listen, port)
	}
	return nil
}

// CheckFiles returns an error for each file that cannot be read or has no token, placed in the section.
func (h *HTTP) CheckFiles() error {
	var errs []error
	if h.TokenFile != "" {
		_, err := ReadToken(h.TokenFile)
		errs = append(errs, strictyaml.At("token_file", err))
	}
	for _, f := range []struct{ key, name string }{{"tls.cert", h.TLS.Cert}, {"tls.key", h.TLS.Key}, {"tls.client_ca", h.TLS.ClientCA}} {
		if f.name == "" {
			continue
		}
		opened, err := os.Open(f.name)
		if err == nil {
			_ = opened.Close() // it was opened for reading only
		}
		errs = append(errs, strictyaml.At(f.key, err))
	}
	return errors.Join(errs...)
}

const maxToken = 4 << 10 // bytes of a file with a token

// ReadToken returns the token that a file has, without the white space around it. A file without a token is an error.
func ReadToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	token := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxToken:
		return "", fmt.Errorf("%s: more than %d bytes, which cannot be a token", path, maxToken)
	case token == "":
		return "", fmt.Errorf("%s: the file has no token", path)
	}
	return token, nil
}
