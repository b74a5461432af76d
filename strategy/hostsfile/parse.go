package hostsfile

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/goconvoke/convoke/internal/hostaddr"
	"github.com/goconvoke/convoke/peer"
)

const (
	maxLine     = 1024 // bytes; a host name has at most 253
	maxMistakes = 10   // lines reported of one file
)

var byteOrderMark = []byte("\ufeff")

// parseHosts reads one host or host:port a line. Blank lines are skipped and so is what follows
// a '#'; a line that starts with '%' is a comment too. A host may be written as a quoted
// atom with a final dot ('a.example.com'.), an IPv6 address with or without brackets. A host
// without a port gets the given one, unless that is 0. Hosts listed twice count once, and
// names stay names.
//
// One bad line spoils the whole: parseHosts returns all peers or an error that names file and line of
// each mistake, the first ten of them.
func parseHosts(file string, data []byte, port int) ([]peer.Peer, error) {
	peers := []peer.Peer{}
	seen := make(map[string]bool)
	var errs []error
	data = bytes.TrimPrefix(data, byteOrderMark)
	for n := 1; len(data) > 0; n++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		addr, err := parseLine(line, port)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s:%d: %w", file, n, err))
		case addr != "" && !seen[addr]:
			seen[addr] = true
			peers = append(peers, peer.Peer{Addr: addr})
		}
		if len(errs) == maxMistakes {
			break
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return peers, nil
}

// parseLine returns the canonical address of one line, "" for a line without one.
func parseLine(raw []byte, port int) (string, error) {
	if len(raw) > maxLine {
		return "", fmt.Errorf("the line is longer than %d bytes", maxLine)
	}
	line, _, _ := strings.Cut(string(raw), "#")
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '%' {
		return "", nil
	}
	if quoted, isAtom := strings.CutPrefix(line, "'"); isAtom {
		atom, ends := strings.CutSuffix(quoted, "'.")
		if !ends {
			return "", fmt.Errorf("%q starts with a quote; want 'host'. with the closing quote and the dot", line)
		}
		line = strings.TrimSpace(atom)
	}
	if len(strings.Fields(line)) != 1 {
		return "", fmt.Errorf("%q is not one host; write one host:port a line", line)
	}
	return hostAddr(line, port)
}

// hostAddr returns the canonical host:port of a host with or without a port.
func hostAddr(s string, port int) (string, error) {
	if strings.Contains(s, "..") {
		return "", fmt.Errorf("%q has two dots in a row, which no host name has", s)
	}
	host, bare := hostaddr.HostOnly(s)
	if !bare {
		return peer.Addr(s)
	}
	if port == 0 {
		return "", fmt.Errorf("%q has no port; write host:port, or set the default with port", s)
	}
	return peer.Addr(net.JoinHostPort(host, strconv.Itoa(port)))
}
