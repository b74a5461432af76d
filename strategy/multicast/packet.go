package multicast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goconvoke/convoke/peer"
)

// A datagram is a header in the clear, then a body that is sealed when keys are set:
//
//	header: magic(4) version(1) suite(1) cluster hash(8) [key hint(4) nonce(12), sealed only]
//	body:   instance(8) generation(8) sequence(8) time(8) flags(1: two flags, five bits of interval, one free)
//	        node length(1) node, address count(1), per address length(2) address
//
// Numbers are big-endian. The header is authenticated along with a sealed body.
const (
	// maxPacket is the size of the largest datagram sent or accepted, in bytes: it fits every
	// link without fragmentation.
	maxPacket = 512

	version     = 1
	suitePlain  = 0
	suiteSealed = 1 // AES-256-GCM

	offVersion = 4
	offSuite   = 5
	offCluster = 6
	offHint    = 14
	offNonce   = 18
	plainSize  = 14 // header of a plain packet
	sealedSize = 30 // header of a sealed packet
	tagSize    = 16

	maxNode  = 128 // bytes of a node's name
	maxAddrs = 8   // addresses in one packet
	maxAddr  = 260 // bytes of one address: a name of 253 and a port
)

// Flags of a packet. Unknown ones are ignored, so that later versions may add some.
const (
	flagLeave = 1 << iota // the sender leaves
	flagHello             // please answer to the source of this datagram

	// The interval of the sender stands among the flags, where versions that do not know of it ignore it: 0 if
	// it is absent, else the number of a step of intervalStep.
	intervalShift = 2
	intervalSteps = 31
	intervalBits  = intervalSteps << intervalShift
)

// intervalStep returns the interval that a number of 1 to intervalSteps stands for: 100 ms, and a third of a doubling more
// for each, up to 102.4 s.
func intervalStep(n int) time.Duration {
	return time.Duration(float64(100*time.Millisecond) * math.Exp2(float64(n-1)/3))
}

var (
	magic     = [4]byte{'c', 'n', 'v', 'k'}
	libPrefix = []byte("heartbeat::") // packets of libcluster, which shares the group
)

var errMalformed = errors.New("malformed packet")

// packet is the body of a datagram.
type packet struct {
	Instance   uint64   // random, one for each run of a node
	Generation int64    // start of the run, nanoseconds since 1970: a restarted node has a higher one
	Seq        uint64   // counts the datagrams of an instance, from 1
	Time       int64    // of sending, nanoseconds since 1970
	Flags      byte     // and the interval, see interval
	Node       string   // name, "" when unknown, at most 128 bytes
	Addrs      []string // canonical host:port, the preferred first, at most 8; an unspecified host stands for the source
}

func (p *packet) leaves() bool { return p.Flags&flagLeave != 0 }
func (p *packet) hello() bool  { return p.Flags&flagHello != 0 }

// interval returns the longest time between two heartbeats that the sender plans with, before its jitter; 0 if the packet does not
// carry it.
func (p *packet) interval() time.Duration {
	n := int(p.Flags&intervalBits) >> intervalShift
	if n == 0 {
		return 0
	}
	return intervalStep(n)
}

// withInterval returns flags that carry an interval, rounded up to the next step.
func withInterval(flags byte, d time.Duration) byte {
	n := 1
	for n < intervalSteps && intervalStep(n) < d {
		n++
	}
	return flags | byte(n)<<intervalShift
}

// at returns the time of sending.
func (p *packet) at() time.Time { return time.Unix(0, p.Time) }

// newer reports whether p comes from a later life of its node than (generation, instance).
// The instance breaks a tie, so that all receivers agree.
func (p *packet) newer(generation int64, instance uint64) bool {
	if p.Generation != generation {
		return p.Generation > generation
	}
	return p.Instance > instance
}

// appendBody appends the body.
func (p *packet) appendBody(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, p.Instance)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Generation))
	b = binary.BigEndian.AppendUint64(b, p.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Time))
	b = append(b, p.Flags, byte(len(p.Node)))
	b = append(b, p.Node...)
	b = append(b, byte(len(p.Addrs)))
	for _, a := range p.Addrs {
		b = binary.BigEndian.AppendUint16(b, uint16(len(a)))
		b = append(b, a...)
	}
	return b
}

// bodySize is the length of what appendBody appends.
func (p *packet) bodySize() int {
	n := 4*8 + 1 + 1 + len(p.Node) + 1
	for _, a := range p.Addrs {
		n += 2 + len(a)
	}
	return n
}

// trimToFit drops the last addresses until the packet fits into a datagram, sealed or not.
func (p *packet) trimToFit() {
	p.Addrs = p.Addrs[:min(len(p.Addrs), maxAddrs)]
	for sealedSize+p.bodySize()+tagSize > maxPacket {
		p.Addrs = p.Addrs[:len(p.Addrs)-1]
	}
}

// parseBody is the inverse of appendBody. What it accepts encodes to the same bytes again.
func parseBody(b []byte) (packet, error) {
	var p packet
	if len(b) < 4*8+3 {
		return p, errMalformed
	}
	p.Instance = binary.BigEndian.Uint64(b)
	p.Generation = int64(binary.BigEndian.Uint64(b[8:]))
	p.Seq = binary.BigEndian.Uint64(b[16:])
	p.Time = int64(binary.BigEndian.Uint64(b[24:]))
	p.Flags = b[32]
	node, rest, ok := cutBytes(b[34:], int(b[33]))
	if !ok || checkNode(string(node)) != nil || len(rest) == 0 || rest[0] > maxAddrs {
		return p, errMalformed
	}
	p.Node = string(node)
	count, rest := int(rest[0]), rest[1:]
	for range count {
		if len(rest) < 2 {
			return p, errMalformed
		}
		var a []byte
		if a, rest, ok = cutBytes(rest[2:], int(binary.BigEndian.Uint16(rest))); !ok || len(a) > maxAddr {
			return p, errMalformed
		}
		addr := string(a)
		if canonical, err := peer.Addr(addr); err != nil || canonical != addr || checkName(addr) != nil {
			return p, errMalformed
		}
		p.Addrs = append(p.Addrs, addr)
	}
	if len(rest) > 0 {
		return p, errMalformed
	}
	return p, nil
}

// cutBytes takes n bytes off b.
func cutBytes(b []byte, n int) (head, rest []byte, ok bool) {
	if n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// checkNode reports a name that no packet can carry.
func checkNode(name string) error {
	if len(name) > maxNode {
		return fmt.Errorf("node name has %d bytes, at most %d are announced", len(name), maxNode)
	}
	return checkName(name)
}

// checkName reports a text that could disturb a log or a terminal.
func checkName(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%q is not UTF-8", text)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%q holds the unprintable character %q", text, r)
		}
	}
	return nil
}

// family is a version of IP.
type family int

const (
	v4 family = iota
	v6
	families = 2
)

func (f family) String() string { return [families]string{"ipv4", "ipv6"}[f] }

// familyOf returns the family of an unmapped address.
func familyOf(a netip.Addr) family {
	if a.Is4() {
		return v4
	}
	return v6
}
