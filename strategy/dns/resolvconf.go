package dns

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	maxResolvConf = 64 << 10 // bytes
	maxSearch     = 32
	settledAfter  = 2 * time.Second
)

// setup is whom to ask, and for what besides the name itself.
type setup struct {
	servers []string // host:port
	search  []string
	ndots   int
}

// resolvConf reads a file like /etc/resolv.conf again when it changes. It belongs to one lookup at a time.
type resolvConf struct {
	path string

	info  fs.FileInfo // of the file as last read, nil if it never was
	at    time.Time   // when that was
	setup setup
	stale error // why the file could not be read the last time
}

// current returns what the file says. When it cannot be read any more, what it said last holds, and stale says why.
func (r *resolvConf) current() (setup, error) {
	info, err := os.Stat(r.path)
	switch {
	case err != nil:
	case r.unchanged(info):
	case !info.Mode().IsRegular(): // to open a pipe would wait
		err = fmt.Errorf("%s is not a regular file", r.path)
	default:
		err = r.read()
	}
	if r.stale = err; err != nil && r.info == nil {
		return setup{}, fmt.Errorf("find the DNS servers: %w; set servers to do without the file", err)
	}
	return r.setup, nil
}

// unchanged reports whether the last reading still holds. A file read soon after it was written may
// have been written again within one tick of its clock.
func (r *resolvConf) unchanged(now fs.FileInfo) bool {
	return r.info != nil && os.SameFile(r.info, now) && r.info.Size() == now.Size() &&
		r.info.ModTime().Equal(now.ModTime()) && r.at.Sub(now.ModTime()) > settledAfter
}

func (r *resolvConf) read() error {
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxResolvConf+1))
	if err != nil {
		return err
	}
	if len(data) > maxResolvConf {
		return fmt.Errorf("%s is larger than %d bytes", r.path, maxResolvConf)
	}
	s, err := parseResolvConf(data)
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	r.info, r.at, r.setup = info, time.Now(), s
	return nil
}

// parseResolvConf reads the text of a resolv.conf. Without a nameserver line it means a server on this machine.
func parseResolvConf(data []byte) (setup, error) {
	c, err := dns.ClientConfigFromReader(bytes.NewReader(data))
	if err != nil {
		return setup{}, err
	}
	s := setup{ndots: c.Ndots}
	for _, server := range c.Servers {
		if _, err := netip.ParseAddr(server); err == nil && len(s.servers) < maxServers {
			s.servers = append(s.servers, net.JoinHostPort(server, c.Port))
		}
	}
	if len(c.Servers) == 0 {
		s.servers = []string{"127.0.0.1:53", "[::1]:53"}
	}
	if len(s.servers) == 0 {
		return setup{}, errors.New("no nameserver line holds an address")
	}
	for _, suffix := range c.Search {
		suffix = strings.ToLower(strings.TrimSuffix(suffix, "."))
		if checkName(suffix) == nil && len(s.search) < maxSearch {
			s.search = append(s.search, suffix)
		}
	}
	return s, nil
}
