package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/lab"
)

const (
	group4, group6 = "233.252.1.32:45892", "[ff12::6c63%eth0]:45892"
	burst          = 20   // packets a millisecond: a kernel's receive buffer takes them
	captures       = 4    // real packets taken as models for damaged ones
	maxPacket      = 9000 // bytes of the longest junk packet: it arrives in fragments
)

func TestJunkOnTheGroupDoesNoHarm(t *testing.T) {
	const packets = 10_000
	everyWire(t, func(t *testing.T, connector string, w wire) {
		f := newFleet(t, lab.New(t, 5), connector, w)
		f.start(1, 2, 3)
		f.whole(formWithin)
		group := group4
		if w.name == ipv6.name {
			group = group6
		}
		taken := 0 // a busy machine drops many: then there are more
		for try := 0; taken < packets/2 && try < 6; try++ {
			before := datagrams(t, f.lab, 1)
			sendJunk(t, f.lab, group, packets)
			taken += datagrams(t, f.lab, 1) - before
		}
		if taken < packets/2 {
			t.Errorf("h1 took %d datagrams of %d, so this shows little", taken, 6*packets)
		}
		f.stays(5 * time.Second)
		f.start(4)
		f.whole(formWithin)
	})
}

// sendJunk sends junk packets to a multicast group from host 5.
func sendJunk(t *testing.T, l *lab.Lab, group string, packets int) {
	t.Helper()
	junk, err := l.Probe(5, func(s string) { t.Log(s) }, "flood", group, fmt.Sprint(packets))
	if err != nil {
		t.Fatal(err)
	}
	defer junk.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := junk.Wait(ctx); err != nil {
		t.Fatalf("flood: %v", err)
	}
}

// datagrams returns how many UDP datagrams the programs of a host have received.
func datagrams(t *testing.T, l *lab.Lab, host int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), formWithin)
	defer cancel()
	out, err := l.Command(ctx, host, "cat", "/proc/net/snmp", "/proc/net/snmp6").Output()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, m := range udpReceived.FindAllStringSubmatch(string(out), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// udpReceived finds the counters of IPv4 (the first in the line of values) and of IPv6.
var udpReceived = regexp.MustCompile(`(?m)^(?:Udp: |Udp6InDatagrams\s+)(\d+)`)

// flood sends args[1] junk packets to the group args[0]: noise, damaged copies of what is heard
// there, packets of a neighbouring system, and some too long. Its seed is in its output.
func flood(args []string) error {
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	conn, group, err := openGroup(args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	models, err := capture(conn)
	if err != nil {
		return err
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for i := range count {
		if i%burst == 0 {
			<-pace.C
		}
		if _, err := conn.WriteToUDP(junkPacket(r, models), group); err != nil {
			return err
		}
	}
	fmt.Printf("sent %d junk packets, seed %d\n", count, seed)
	return nil
}

// openGroup joins a multicast group on eth0; what is written goes out there too.
func openGroup(address string) (*net.UDPConn, *net.UDPAddr, error) {
	group, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, nil, err
	}
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return nil, nil, err
	}
	network := "udp4"
	if group.IP.To4() == nil {
		network = "udp6"
	}
	conn, err := net.ListenMulticastUDP(network, eth0, group)
	return conn, group, err
}

// capture returns some of the real packets of the group.
func capture(conn *net.UDPConn) ([][]byte, error) {
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	var models [][]byte
	buf := make([]byte, 1<<16)
	for len(models) < captures {
		n, _, err := conn.ReadFromUDP(buf)
		if err != nil {
			return nil, fmt.Errorf("real packets on the group: %w", err)
		}
		models = append(models, append([]byte(nil), buf[:n]...))
	}
	return models, nil
}

// junkPacket makes one packet that no node should act on.
func junkPacket(r *rand.Rand, models [][]byte) []byte {
	model := append([]byte(nil), models[r.IntN(len(models))]...)
	switch r.IntN(6) {
	case 0: // nothing but noise
		return noise(r, r.IntN(1400))
	case 1: // cut short
		return model[:r.IntN(len(model))]
	case 2: // one bit turned
		model[r.IntN(len(model))] ^= 1 << r.IntN(8)
		return model
	case 3: // a real beginning, then noise
		return append(model[:r.IntN(len(model))], noise(r, r.IntN(1200))...)
	case 4: // an Erlang node's announcement
		return append([]byte("heartbeat::"), noise(r, r.IntN(100))...)
	default: // too long
		return append(model, noise(r, maxPacket-len(model))...)
	}
}

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
