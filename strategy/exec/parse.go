package exec

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goconvoke/convoke/internal/hostaddr"
	"github.com/goconvoke/convoke/internal/targets"
	"github.com/goconvoke/convoke/peer"
)

const (
	maxLine     = 1024 // bytes; a host name has at most 253
	maxMistakes = 10   // lines reported of one output; the others are counted
)

var byteOrderMark = []byte("\ufeff")

// parseOutput reads what a program printed: JSON as [targets.JSON] takes it, or one host or host:port a line. Blank
// lines are skipped, and so is what follows a '#'. A host without a port gets the given one, unless that is 0.
// No output at all is an answer: there are no peers.
//
// With mistakes parseOutput returns the good peers, none perhaps, and an error that names the line of each, the
// first ten of them.
func parseOutput(output []byte, port int, o targets.Options) ([]peer.Peer, error) {
	output = bytes.TrimPrefix(output, byteOrderMark)
	if isJSON(output) {
		return targets.JSON(output, o)
	}
	l := lineReader{peers: []peer.Peer{}, seen: make(map[string]bool), port: port}
	for n := 1; len(output) > 0; n++ {
		var line []byte
		line, output, _ = bytes.Cut(output, []byte("\n"))
		l.addLine(n, line)
	}
	if l.more > 0 {
		l.errs = append(l.errs, fmt.Errorf("and %d more bad lines", l.more))
	}
	return l.peers, errors.Join(l.errs...)
}

// isJSON distinguishes a list in JSON from lines, of which the first may begin with an IPv6 address in brackets.
func isJSON(output []byte) bool {
	text := bytes.TrimLeft(output, " \t\r\n")
	if len(text) == 0 || text[0] == '{' {
		return len(text) > 0
	}
	if text[0] != '[' {
		return false
	}
	inner := bytes.TrimLeft(text[1:], " \t\r\n")
	return len(inner) == 0 || bytes.IndexByte([]byte(`{]["`), inner[0]) >= 0
}

// lineReader is what has been read so far.
type lineReader struct {
	port  int
	peers []peer.Peer
	seen  map[string]bool
	errs  []error
	more  int // mistakes that are not in errs
}

// addLine takes the n-th line.
func (l *lineReader) addLine(n int, line []byte) {
	addr, err := parseLine(line, l.port)
	switch {
	case err != nil && len(l.errs) == maxMistakes:
		l.more++
	case err != nil:
		l.errs = append(l.errs, fmt.Errorf("line %d: %w", n, err))
	case addr != "" && !l.seen[addr]:
		l.seen[addr] = true
		l.peers = append(l.peers, peer.Peer{Addr: addr})
	}
}

// parseLine returns the canonical address of one line, "" for a line without one.
func parseLine(raw []byte, port int) (string, error) {
	if len(raw) > maxLine {
		return "", fmt.Errorf("the line is longer than %d bytes", maxLine)
	}
	if !utf8.Valid(raw) {
		return "", errors.New("the line is not UTF-8 text")
	}
	line, _, _ := strings.Cut(string(raw), "#")
	line = strings.TrimSpace(line)
	if line == "" {
		return "", nil
	}
	if len(strings.Fields(line)) != 1 {
		return "", fmt.Errorf("%q is not one host; print one host:port a line", line)
	}
	host, bare := hostaddr.HostOnly(line)
	switch {
	case !bare:
		return peer.Addr(line)
	case port == 0:
		return "", fmt.Errorf("%q has no port; print host:port, or set the default with port", line)
	}
	return peer.Addr(net.JoinHostPort(host, strconv.Itoa(port)))
}
