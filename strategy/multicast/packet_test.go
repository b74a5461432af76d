package multicast

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/strategy"
)

func samplePacket() *packet {
	return &packet{
		Instance: 0xfeed, Generation: 1700000000000000000, Seq: 42, Time: 1700000001000000000,
		Flags: flagHello, Node: "node-a", Addrs: []string{"10.0.0.1:7946", "[fd00::1]:7946", "db.example:80"},
	}
}

func testCodec(t testing.TB, cluster string, keys ...strategy.Key) *codec {
	t.Helper()
	c, err := newCodec(cluster, keys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// decode judges and opens a datagram as a filter does.
func (c *codec) decode(b []byte) (packet, dropReason) {
	if v := c.precheck(b); v != accepted {
		return packet{}, v
	}
	return c.open(make([]byte, 0, maxPacket), b)
}

func TestAPacketSurvivesTheWire(t *testing.T) {
	for name, keys := range map[string][]strategy.Key{"plain": nil, "sealed": {testKey(1)}} {
		t.Run(name, func(t *testing.T) {
			for _, p := range []*packet{samplePacket(), {Instance: 1, Seq: 1}, {Node: strings.Repeat("n", maxNode)}} {
				c := testCodec(t, "orders", keys...)
				got, v := c.decode(c.encode(nil, p))
				if v != accepted {
					t.Fatalf("decode(encode(%+v)) is dropped as %v", p, v)
				}
				if diff := cmp.Diff(*p, got); diff != "" {
					t.Errorf("decode(encode(p)) (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestEveryKeyOpensAndTheFirstSeals(t *testing.T) {
	older, both, newer := testCodec(t, "orders", testKey(1)), testCodec(t, "orders", testKey(2), testKey(1)), testCodec(t, "orders", testKey(2))
	for _, c := range []struct {
		name     string
		from, to *codec
		want     dropReason
	}{
		{"old to both", older, both, accepted},
		{"new to both", newer, both, accepted},
		{"both to new", both, newer, accepted},
		{"both to old", both, older, badKey},
		{"sealed to plain", newer, testCodec(t, "orders"), badKey},
		{"plain to sealed", testCodec(t, "orders"), newer, badPlain},
		{"same key of another cluster", testCodec(t, "stock", testKey(2)), newer, badCluster},
	} {
		if _, v := c.to.decode(c.from.encode(nil, samplePacket())); v != c.want {
			t.Errorf("%s: %v, want %v", c.name, v, c.want)
		}
	}
}

func TestAClusterHashThatIsForgedDoesNotOpenWithTheSameKey(t *testing.T) {
	stock, orders := testCodec(t, "stock", testKey(1)), testCodec(t, "orders", testKey(1))
	b := stock.encode(nil, samplePacket())
	copy(b[offCluster:], orders.cluster[:])
	copy(b[offHint:], orders.keys[0].hint[:])
	if _, v := orders.decode(b); v != badKey {
		t.Errorf("a packet of another cluster with a forged header: %v, want %v", v, badKey)
	}
}

func TestEveryBitOfASealedPacketIsProtected(t *testing.T) {
	c := testCodec(t, "orders", testKey(1))
	good := c.encode(nil, samplePacket())
	for bit := range 8 * len(good) {
		b := bytes.Clone(good)
		b[bit/8] ^= 1 << (bit % 8)
		if _, v := c.decode(b); v == accepted {
			t.Fatalf("accepted with bit %d changed", bit)
		}
	}
	for n := range good {
		if _, v := c.decode(good[:n]); v == accepted {
			t.Fatalf("accepted when cut to %d bytes", n)
		}
	}
}

func TestTheLargestPacketFits(t *testing.T) {
	p := samplePacket()
	p.Node = strings.Repeat("n", maxNode)
	p.Addrs = nil
	for range 2 * maxAddrs {
		p.Addrs = append(p.Addrs, strings.Repeat("a", 60)+".example:7946")
	}
	p.trimToFit()
	if len(p.Addrs) < 4 {
		t.Errorf("%d addresses fit, want 4 at least", len(p.Addrs))
	}
	long := &packet{Node: p.Node, Addrs: []string{strings.Repeat("a", 253) + ":65535"}}
	if long.trimToFit(); len(long.Addrs) != 1 {
		t.Error("one address of the greatest length does not fit")
	}
	for _, c := range []*codec{testCodec(t, "orders"), testCodec(t, "orders", testKey(1))} {
		if n := len(c.encode(nil, p)); n > maxPacket {
			t.Errorf("%d bytes, want %d at most", n, maxPacket)
		}
	}
}

func FuzzPacket(f *testing.F) {
	plain, sealed := testCodec(f, "orders"), testCodec(f, "orders", testKey(1), testKey(2))
	leave := samplePacket()
	leave.Flags, leave.Addrs = flagLeave, nil
	for _, p := range []*packet{samplePacket(), leave, {}} {
		for _, c := range []*codec{plain, sealed} {
			b := c.encode(nil, p)
			f.Add(b)
			f.Add(b[:len(b)-1])
			f.Add(append(b, 0))
		}
		f.Add(p.appendBody(nil))
	}
	f.Add([]byte("heartbeat::\x83\x64\x00\x04node"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, v := plain.decode(b); v == accepted {
			if again := plain.encode(nil, &p); !bytes.Equal(again, b) {
				t.Errorf("encode(decode(%x)) = %x", b, again)
			}
		}
		if p, v := sealed.decode(b); v == accepted {
			if again := sealed.seal(nil, &sealed.keys[0], b[offNonce:sealedSize], &p); !bytes.Equal(again, b) &&
				[4]byte(b[offHint:]) == sealed.keys[0].hint {
				t.Errorf("seal(open(%x)) = %x", b, again)
			}
		}
		if p, err := parseBody(b); err == nil { // what a holder of the key could send
			if again := p.appendBody(nil); !bytes.Equal(again, b) {
				t.Errorf("appendBody(parseBody(%x)) = %x", b, again)
			}
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	keyed := DefaultConfig()
	keyed.Keys = []strategy.Key{testKey(1)}
	codec := testCodec(b, "orders", keyed.Keys...)
	valid := codec.encode(nil, samplePacket())
	forged := bytes.Clone(valid)
	forged[len(forged)-1] ^= 1
	to := netAddrPort(keyed).Addr()
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"random bytes", bytes.Repeat([]byte{0xa5}, 400)},
		{"libcluster", append([]byte("heartbeat::"), make([]byte, 100)...)},
		{"other cluster", testCodec(b, "stock", testKey(1)).encode(nil, samplePacket())},
		{"other key", testCodec(b, "orders", testKey(2)).encode(nil, samplePacket())},
		{"forged, over the rate", forged},
		{"too long", make([]byte, maxPacket+1)},
	} {
		b.Run("junk/"+c.name, func(b *testing.B) {
			s := newFilter(keyed, codec, 1)
			d := datagram{data: c.data, from: stranger, to: to}
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				if _, v := s.checkPacket(d, now); v == accepted {
					b.Fatal("accepted")
				}
			}
		})
	}
	for name, data := range map[string][]byte{"decrypt/forged": forged, "decrypt/valid": valid} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, maxPacket)
			b.ReportAllocs()
			for b.Loop() {
				codec.decodeInto(buf, data)
			}
		})
	}
}

func (c *codec) decodeInto(buf, b []byte) { _, _ = c.open(buf, b) }
