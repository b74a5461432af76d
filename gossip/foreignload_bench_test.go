//go:build unix

package gossip

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
)

// BenchmarkForeignUpdates measures the CPU time of a node with 8 links that knows 1,000 members with 100 keys each, while 10,000 keys of
// others change a second: 100 every 10 ms, in one frame, which comes over half of the links and which the node sends to the others. One
// iteration is one second. It is the time of the process and has that of the neighbours in it, which write and drop bytes.
func BenchmarkForeignUpdates(b *testing.B) {
	const members, keys, links, ticks, perTick = 1000, 100, 8, 100, 100
	n, err := Start(Config{Name: "n", ClusterID: "test", Listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(n.Stop)
	var peers []net.Conn
	for i := range links {
		peers = append(peers, neighbour(b, n, fmt.Sprint("p", i)))
	}
	for i := range links {
		writeTo(b, peers[i], recordOf(fmt.Sprint("p", i), 0, "n", "p0", "m0", fmt.Sprint("m", members-1)))
	}
	for j := range members {
		before, after := fmt.Sprint("m", j-1), fmt.Sprint("m", j+1)
		if j == 0 || j == members-1 {
			before, after = "p0", fmt.Sprint("m", max(1, j-1))
		}
		writeTo(b, peers[0], recordOf(fmt.Sprint("m", j), keys, before, after))
	}
	beats := func() {
		for _, p := range peers {
			writeTo(b, p, &core.Beat{Wanted: true, Eager: true, Hash: n.View().Hash})
		}
	}
	awaitBench(b, beats, func() bool { return n.View().Len() == members+links+1 })
	version, written := uint64(keys+3), 0
	var used, passed time.Duration
	for b.Loop() {
		frame := make([][]byte, ticks)
		for i := range frame {
			frame[i] = changes(b, version, written, perTick, members, keys)
			if written += perTick; written%members == 0 {
				version++
			}
		}
		began, start := time.Now(), processTime()
		for i := range frame {
			for k := range links / 2 {
				if _, err := peers[(i+k)%links].Write(frame[i]); err != nil {
					b.Fatal(err)
				}
			}
			if i == ticks/2 {
				beats()
			}
			time.Sleep(time.Until(began.Add(time.Duration(i+1) * time.Second / ticks)))
		}
		used, passed = used+processTime()-start, passed+time.Since(began)
	}
	awaitBench(b, beats, func() bool {
		m, _ := n.View().Member(fmt.Sprint("m", (written-1)%members))
		v, _ := m.Get(keyOf(written-1, members, keys))
		return v == fmt.Sprint(written-1)
	})
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(used.Milliseconds())/passed.Seconds(), "cpu-ms/s")
}

// neighbour links a node to a peer that does nothing.
func neighbour(b *testing.B, n *Node, name string) net.Conn {
	b.Helper()
	c, err := net.Dial("tcp", n.Bound())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	hello := mallory()
	hello.ID = name
	writeTo(b, c, hello)
	in := bufio.NewReader(c)
	if _, err := wire.NewReader(in).Read(); err != nil {
		b.Fatal(err)
	}
	writeTo(b, c, &core.Beat{Wanted: true, Eager: true})
	go func() { _, _ = io.Copy(io.Discard, in) }()
	return c
}

// awaitBench waits until a condition holds, and keeps the links alive meanwhile.
func awaitBench(b *testing.B, beats func(), holds func() bool) {
	b.Helper()
	for tries := 0; !holds(); tries++ {
		if tries == 300 {
			b.Fatal("not after 30 s")
		}
		beats()
		time.Sleep(100 * time.Millisecond)
	}
}

func writeTo(b *testing.B, c net.Conn, f core.Frame) {
	b.Helper()
	if _, err := c.Write(frames(b, f)); err != nil {
		b.Fatal(err)
	}
}

// recordOf returns the first record of a member with so many keys and links to some others, at version keys+len(links)+1.
func recordOf(name string, keys int, links ...string) *core.Delta {
	r := core.RecordDelta{Node: core.HashID(name), ID: name, Generation: 1, Entries: []core.Entry{
		{Kind: core.KindMeta, Key: core.MetaAddr, Value: "127.0.0.1:1", Version: 1}}}
	for i := range keys {
		r.Entries = append(r.Entries, core.Entry{Kind: core.KindUser, Key: fmt.Sprint("key", i), Value: "first", Version: uint64(i + 2)})
	}
	for i, to := range links {
		r.Links = append(r.Links, core.Link(core.HashID(to), uint64(keys+2+i), false))
	}
	r.To = uint64(keys + len(links) + 1)
	return &core.Delta{Records: []core.RecordDelta{r}}
}

// keyOf returns the key that the i-th change of all is about.
func keyOf(i, members, keys int) string { return fmt.Sprint("key", i/members%keys) }

// changes encodes a frame with a change of each of some members above a version, the first of which is the i-th of all.
func changes(b *testing.B, version uint64, i, count, members, keys int) []byte {
	d := &core.Delta{}
	for k := i; k < i+count; k++ {
		d.Records = append(d.Records, core.RecordDelta{
			Node: core.HashID(fmt.Sprint("m", k%members)), Generation: 1, From: version, To: version + 1, Urgent: true,
			Entries: []core.Entry{{Kind: core.KindUser, Key: keyOf(k, members, keys), Value: fmt.Sprint(k), Version: version + 1}},
		})
	}
	return frames(b, d)
}

// processTime is the CPU time that this process has used, in user and kernel.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are constant
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
