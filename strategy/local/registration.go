package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/goconvoke/convoke/internal/bounded"
	"github.com/goconvoke/convoke/peer"
)

const (
	formatVersion = 1
	maxFile       = 16 << 10 // bytes of one registration
	maxAddrs      = 16       // addresses of one node
)

// registration is the content of one file.
type registration struct {
	Version int       `json:"version"`
	Cluster string    `json:"cluster"`
	Name    string    `json:"name"`  // of the node, "" if it has none
	Addrs   []string  `json:"addrs"` // canonical, the preferred one first
	PID     int       `json:"pid"`   // for people
	Started time.Time `json:"started"`
}

// parseRegistration reads a registration that any process may have written.
func parseRegistration(r io.Reader) (registration, error) {
	data, err := bounded.ReadAll(r, maxFile)
	if err != nil {
		return registration{}, err
	}
	var reg registration
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&reg); err != nil {
		return registration{}, fmt.Errorf("no JSON registration: %w", err)
	}
	if reg.Version != formatVersion {
		return registration{}, fmt.Errorf("format version %d, this program knows %d", reg.Version, formatVersion)
	}
	if len(reg.Addrs) == 0 || len(reg.Addrs) > maxAddrs {
		return registration{}, fmt.Errorf("%d addresses, want 1 to %d", len(reg.Addrs), maxAddrs)
	}
	for i, a := range reg.Addrs {
		if reg.Addrs[i], err = peer.Addr(a); err != nil {
			return registration{}, err
		}
	}
	return reg, nil
}

// encode returns the content of the file.
func (r registration) encode() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("registration of %d bytes is above the maximum of %d", len(b), maxFile)
	}
	return append(b, '\n'), nil
}

// localAddrs returns the addresses under which others on this machine reach the node, at most
// maxAddrs: a listener on all interfaces is reached over loopback.
func localAddrs(self []peer.Peer) (name string, addrs []string, err error) {
	var errs []error
	for _, p := range self {
		addr, err := onThisMachine(p.Addr)
		if err != nil {
			errs = append(errs, fmt.Errorf("own address: %w", err))
			continue
		}
		if name == "" {
			name = p.ID
		}
		if len(addrs) < maxAddrs {
			addrs = append(addrs, addr)
		}
	}
	return name, addrs, errors.Join(errs...)
}

func onThisMachine(hostport string) (string, error) {
	if host, port, err := net.SplitHostPort(hostport); err == nil && host == "" {
		hostport = net.JoinHostPort("0.0.0.0", port)
	}
	addr, err := peer.Addr(hostport)
	if err != nil {
		return "", err
	}
	ap, err := netip.ParseAddrPort(addr)
	switch {
	case err != nil || !ap.Addr().IsUnspecified():
		return addr, nil // a name, or an address of its own
	case ap.Addr().Is4():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ap.Port()).String(), nil
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), ap.Port()).String(), nil
}
