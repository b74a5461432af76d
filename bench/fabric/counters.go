package fabric

// segmentSize is the payload of one packet of a stream, as on an Ethernet.
const segmentSize = 1460

// Headers that a packet needs besides its payload, in bytes, and packets that a stream needs besides its data.
const (
	datagramHeader = 28 // IPv4, UDP
	segmentHeader  = 40 // IPv4, TCP without options
	controls       = 7  // SYN, SYN+ACK, ACK; FIN and ACK of both sides
)

// WireFormula describes what Wire adds up.
const WireFormula = "payload + 28 B per datagram + 2 × 40 B per stream segment of up to 1,460 B (its header and that of its ACK) + 7 × 40 B per stream opened (SYN, SYN-ACK, ACK, two FIN with ACK)"

// Counters are totals of what members sent.
type Counters struct {
	Datagrams, DatagramBytes uint64
	Streams                  uint64 // opened
	Segments, StreamBytes    uint64 // of data
}

// Add returns the sum.
func (c Counters) Add(o Counters) Counters {
	return Counters{
		c.Datagrams + o.Datagrams, c.DatagramBytes + o.DatagramBytes,
		c.Streams + o.Streams, c.Segments + o.Segments, c.StreamBytes + o.StreamBytes,
	}
}

// Sub returns the difference from earlier counters.
func (c Counters) Sub(o Counters) Counters {
	return Counters{
		c.Datagrams - o.Datagrams, c.DatagramBytes - o.DatagramBytes,
		c.Streams - o.Streams, c.Segments - o.Segments, c.StreamBytes - o.StreamBytes,
	}
}

// Messages is the number of packets that carry payload.
func (c Counters) Messages() uint64 { return c.Datagrams + c.Segments }

// Payload is what the engine handed to the network, in bytes.
func (c Counters) Payload() uint64 { return c.DatagramBytes + c.StreamBytes }

// Wire is what that makes on the wire, in bytes: see WireFormula.
func (c Counters) Wire() uint64 {
	return c.Payload() + datagramHeader*c.Datagrams + 2*segmentHeader*c.Segments + controls*segmentHeader*c.Streams
}

// Total returns what all members sent so far.
func (f *Fabric) Total() Counters {
	f.mu.Lock()
	defer f.mu.Unlock()
	var t Counters
	for i := range f.members {
		t = t.Add(f.members[i].counters)
	}
	return t
}
