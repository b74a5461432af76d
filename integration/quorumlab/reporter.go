package quorumlab

import (
	"encoding/json"
	"net"
	"sync"
)

// reporter is the connection of a node with the test process.
type reporter struct {
	conn net.Conn

	mu sync.Mutex
	to *json.Encoder
}

func dialReporter(socket, name string) (*reporter, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	r := &reporter{conn: conn, to: json.NewEncoder(conn)}
	r.send(event{Kind: "hello", At: Now(), Reply: json.RawMessage(`"` + name + `"`)})
	return r, nil
}

// send sends an event. The test process is there for as long as this one.
func (r *reporter) send(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.to.Encode(e)
}

func (r *reporter) close() { _ = r.conn.Close() }

// closeRead ends the reading of requests.
func (r *reporter) closeRead() {
	if c, ok := r.conn.(*net.UnixConn); ok {
		_ = c.CloseRead()
	}
}
