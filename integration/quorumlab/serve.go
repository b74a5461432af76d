package quorumlab

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
)

// serve answers requests of the test process until ctx ends.
func (n *node) serve(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer context.AfterFunc(ctx, n.out.closeRead)()
	for from := json.NewDecoder(n.out.conn); ; {
		var r request
		if err := from.Decode(&r); err != nil {
			return
		}
		wg.Go(func() { n.answer(ctx, r) })
	}
}

func (n *node) answer(ctx context.Context, r request) {
	v, err := n.do(ctx, r)
	e := event{Kind: "reply", At: Now(), ID: r.ID}
	if err == nil {
		e.Reply, err = json.Marshal(v)
	}
	if err != nil {
		e.Error = err.Error()
	}
	n.out.send(e)
}

func (n *node) do(ctx context.Context, r request) (any, error) {
	if r.Do == "junk" {
		return nil, n.junk(ctx, r.Member)
	}
	if n.quorum == nil {
		return nil, errors.New("this node has no quorum part")
	}
	switch r.Do {
	case "status":
		return n.quorum.Status(ctx)
	case "get":
		return n.quorum.Map().Get(ctx, r.Key)
	case "set":
		return n.quorum.Map().Set(ctx, r.Key, r.Value)
	case "clients":
		n.clients(ctx, r.Clients)
		return nil, nil
	}
	return nil, fmt.Errorf("%q is not a request", r.Do)
}

// junk opens streams of the quorum to a member and sends what is not a frame: noise, half a frame, a frame of 1 GB.
func (n *node) junk(ctx context.Context, member string) error {
	noise := make([]byte, 64<<10)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	half := binary.BigEndian.AppendUint32(nil, 1000)
	for _, b := range [][]byte{noise, append(half, noise[:400]...), append(binary.BigEndian.AppendUint32(nil, 1<<30), noise...),
		append(binary.BigEndian.AppendUint32(nil, 32), noise[:32]...), {}} {
		conn, err := n.gossip.Dial(ctx, member, "convoke-quorum/1")
		if err != nil {
			return err
		}
		_, _ = conn.Write(b) // the member may close it before all is written
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}
