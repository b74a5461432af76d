package gossip

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/gossip/transport"
)

// later is a transport whose nodes speak a later version of the protocol: a higher number in the hello, fields that this version does
// not know in every message and in the messages within, and frames of types that it does not know.
type later struct{ transport.Transport }

func (l later) Secure(ctx context.Context, raw net.Conn) (transport.Conn, error) {
	c, err := l.Transport.Secure(ctx, raw)
	return &laterConn{Conn: c}, err
}

func (l later) Dial(ctx context.Context, addr string) (transport.Conn, error) {
	c, err := l.Transport.Dial(ctx, addr)
	return &laterConn{Conn: c}, err
}

type laterConn struct {
	transport.Conn
	rest []byte // of a frame that is not whole yet
}

func (c *laterConn) Write(b []byte) (int, error) {
	var out []byte
	for c.rest = append(c.rest, b...); len(c.rest) >= 4; {
		end := 4 + int(binary.BigEndian.Uint32(c.rest))
		if len(c.rest) < end {
			break
		}
		out = append(out, upgrade(c.rest[4:end])...)
		c.rest = c.rest[end:]
	}
	if _, err := c.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// nested lists which fields of a message are messages, by number.
type nested map[protowire.Number]nested

const (
	frameHello  = 1
	frameDigest = 5
	frameDelta  = 6
)

// upgrade returns a frame as a later version would send it, and two frames that only that version knows.
func upgrade(body []byte) []byte {
	var in nested
	switch body[0] {
	case frameDigest:
		in = nested{2: nil}
	case frameDelta:
		in = nested{1: {8: nil}}
	}
	next := append([]byte{body[0]}, enrich(body[1:], in)...)
	if body[0] == frameHello { // the last one counts
		next = protowire.AppendVarint(protowire.AppendTag(next, 1, protowire.VarintType), wire.Protocol+1)
	}
	var out []byte
	for _, b := range [][]byte{next, {200, 0xff, 0xff}, {100}} {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(b))), b...)
	}
	return out
}

// enrich adds unknown fields of every kind to a message and to those within.
func enrich(b []byte, in nested) []byte {
	var out []byte
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeField(b)
		deeper, ok := in[number]
		if !ok || kind != protowire.BytesType {
			out, b = append(out, b[:n]...), b[n:]
			continue
		}
		_, _, tag := protowire.ConsumeTag(b)
		inner, _ := protowire.ConsumeBytes(b[tag:])
		out = protowire.AppendBytes(protowire.AppendTag(out, number, kind), enrich(inner, deeper))
		b = b[n:]
	}
	out = protowire.AppendVarint(protowire.AppendTag(out, 90, protowire.VarintType), 1<<63)
	out = protowire.AppendFixed64(protowire.AppendTag(out, 91, protowire.Fixed64Type), 7)
	out = protowire.AppendFixed32(protowire.AppendTag(out, 92, protowire.Fixed32Type), 7)
	out = protowire.AppendString(protowire.AppendTag(out, 93, protowire.BytesType), "of tomorrow")
	out = protowire.AppendTag(out, 94, protowire.StartGroupType)
	out = protowire.AppendVarint(protowire.AppendTag(out, 1, protowire.VarintType), 1)
	return protowire.AppendTag(out, 94, protowire.EndGroupType)
}

func TestAClusterIsUpgradedNodeByNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		mem.Delay(time.Millisecond)
		var names []string
		for i := range 12 { // more than a node has links
			names = append(names, fmt.Sprintf("n%02d", i))
		}
		nodes := cluster(t, mem, names...)
		settle(10 * time.Second)
		all := up(nodes[0])
		for i, name := range names {
			nodes[i].Stop()
			settle(time.Second)
			n, err := Start(Config{Name: name, ClusterID: "test", Listen: name + ":7946", Transport: later{mem.Host(name)}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(n.Stop)
			nodes[i] = n
			if err := n.Join(t.Context(), nodes[(i+1)%len(nodes)].Addr()); err != nil {
				t.Fatal(err)
			}
			if err := n.Set(t.Context(), "version", "later"); err != nil {
				t.Fatal(err)
			}
			settle(5 * time.Second)
			wantUp(t, nodes, all)
			for _, o := range nodes {
				if got, _ := o.Get(name, "version"); got != "later" {
					t.Errorf("%s sees version %q of %s", o.config.Name, got, name)
				}
			}
		}
		if nodes[0].View().Hash != nodes[11].View().Hash {
			t.Error("two nodes have different records")
		}
		for _, n := range nodes {
			c := n.Counters()
			c.Refused.HungUp = 0 // those that were just being stopped
			if c.FramesSkipped == 0 || c.FramesMalformed != 0 || c.FramesRejected != 0 || c.Refused != (Refusals{}) {
				t.Errorf("%s counts %+v, want skipped frames and no trouble", n.config.Name, c)
			}
		}
	})
}

// kindLater is a kind of entry that this version does not know.
const kindLater = core.Kind(9)

// successor is a node of a later version, by hand: it holds one link, and its record has an entry of a kind unknown here.
func successor(t *testing.T, mem *transport.Memory, to *Node) {
	t.Helper()
	c, err := later{mem.Host("next")}.Dial(t.Context(), to.Addr())
	if err != nil {
		t.Fatal(err)
	}
	me := core.HashID("next")
	_, err = c.Write(frames(t, &core.Hello{Cluster: "test", ID: "next", Generation: 1, Addr: "next:1"}, &core.Beat{Wanted: true, Eager: true},
		&core.Delta{Records: []core.RecordDelta{{Node: me, ID: "next", Generation: 1, To: 3, Urgent: true, Links: []core.LinkEntry{
			core.Link(core.HashID(to.config.Name), 3, false),
		}, Entries: []core.Entry{
			{Kind: core.KindMeta, Key: core.MetaAddr, Value: "next:1", Version: 1},
			{Kind: kindLater, Key: "k", Value: "of tomorrow", Version: 2},
		}}}}))
	if err != nil {
		t.Fatal(err)
	}
	done, ticks := make(chan struct{}), time.NewTicker(time.Second)
	go func() { _, _ = io.Copy(io.Discard, c); close(done) }()
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		for {
			select {
			case <-ticks.C:
				_, _ = c.Write(frames(t, &core.Beat{Wanted: true, Eager: true}))
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() { _ = c.Close(); <-done; <-beating; ticks.Stop() })
}

// entries asks a node for its records and returns the entries of one.
func entries(t *testing.T, mem *transport.Memory, n *Node, id string) []core.Entry {
	t.Helper()
	c := memoryLink(t, mem, n.Addr())
	defer c.Close()
	if _, err := c.Write(frames(t, &core.Digest{Mask: ^uint64(0)})); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	r := wire.NewReader(bufio.NewReader(c))
	r.Trust()
	for {
		f, err := r.Read()
		if err != nil {
			t.Fatalf("%s does not have %s: %v", n.config.Name, id, err)
		}
		d, ok := f.(*core.Delta)
		if !ok {
			continue
		}
		for _, rec := range d.Records {
			if rec.Node == core.HashID(id) && rec.From == 0 {
				return rec.Entries
			}
		}
	}
}

func TestEntriesOfALaterVersionAreKeptAndRelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		nodes := cluster(t, mem, "a", "b")
		settle(time.Second)
		successor(t, mem, nodes[0])
		settle(3 * time.Second)
		c := start(t, mem, "c") // hears of it from others only, and later
		if err := c.Join(t.Context(), nodes[1].Addr()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, c)
		settle(3 * time.Second)
		wantUp(t, nodes, "a b c next")
		for _, n := range nodes {
			found := false
			for _, e := range entries(t, mem, n, "next") {
				found = found || e == core.Entry{Kind: kindLater, Key: "k", Value: "of tomorrow", Version: 2}
			}
			if !found {
				t.Errorf("%s has lost the entry of a later kind", n.config.Name)
			}
			if _, ok := n.Get("next", "k"); ok {
				t.Errorf("%s takes an entry of an unknown kind for a key of the application", n.config.Name)
			}
		}
		if c := nodes[0].Counters(); c.FramesSkipped == 0 || c.FramesMalformed != 0 {
			t.Errorf("counted %+v, want skipped frames and none malformed", c)
		}
	})
}
