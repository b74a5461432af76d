// Package admin lets commands ask the agent that runs on the same host, over a socket that only its user may open.
//
// A client sends one [Request] as a line of JSON. The answer is any number of lines with data and then one that ends it, with an
// error if there was one. A client cancels a request by closing its connection.
package admin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Version of the protocol. An agent answers requests of its own version alone, and names it in the error.
const Version = 1

const (
	maxRequest   = 2 << 20          // bytes; two values of 256 KiB take half of it when every byte is escaped
	maxReply     = 16 << 20         // bytes of one line
	maxClients   = 32               // at the same time; one more gets an error
	maxTimeout   = 10 * time.Minute // that a client can ask for
	readTimeout  = 5 * time.Second  // for a request to arrive
	writeTimeout = 10 * time.Second // for a line to be taken
	closeTimeout = time.Second      // for the last line, when the agent ends
)

// Request asks an agent for something. What it means is the agent's affair.
type Request struct {
	Version int           `json:"v"` // filled in by Call
	Op      string        `json:"op"`
	Timeout time.Duration `json:"timeout,omitzero"` // ns, at most 10 min; 0: until the client closes the connection
	Node    string        `json:"node,omitzero"`    // that the client means; "": whichever it is
	Member  string        `json:"member,omitzero"`
	Key     Text          `json:"key,omitzero"`
	Value   Text          `json:"value,omitzero"`
	Expect  *Text         `json:"expect,omitzero"`
	TTL     time.Duration `json:"ttl,omitzero"` // ns
	Addrs   []string      `json:"addrs,omitzero"`
	Group   string        `json:"group,omitzero"`
	Shard   int           `json:"shard,omitzero"`
	Force   bool          `json:"force,omitzero"`
	Undo    bool          `json:"undo,omitzero"`
	Session bool          `json:"session,omitzero"` // a key of the map ends with the session of the node
}

// line is one line of an answer.
type line struct {
	Version int             `json:"v"`
	Data    json.RawMessage `json:"data,omitzero"`
	End     bool            `json:"end,omitzero"`
	Error   string          `json:"error,omitzero"` // on the last line
}

// Text is a string of any bytes. In JSON it is a string or, if that could not hold it as it is, {"base64": "..."}.
type Text string

// MarshalJSON implements [json.Marshaler].
func (t Text) MarshalJSON() ([]byte, error) {
	if !utf8.ValidString(string(t)) || strings.ContainsFunc(string(t), isControl) {
		return fmt.Appendf(nil, `{"base64":%q}`, base64.StdEncoding.EncodeToString([]byte(t))), nil
	}
	return encode(string(t))
}

// isControl reports whether JSON has to write a character six times as long.
func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*t = Text(s)
		return nil
	}
	var coded struct {
		Base64 []byte `json:"base64"`
	}
	if err := json.Unmarshal(b, &coded); err != nil || coded.Base64 == nil {
		return errors.New(`want a string or {"base64": "..."}`)
	}
	*t = Text(coded.Base64)
	return nil
}

// encode writes a value as one line of JSON, with <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}
