package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/flynn/noise"
)

// PSK encrypts streams with keys that all nodes share: the Noise protocol NNpsk0 (https://noiseprotocol.org/noise.html), with
// X25519, AES-256-GCM and SHA-256. Both sides prove that they hold the key before anything readable is sent; each stream has
// keys of its own, which the shared key alone does not give away later.
type PSK struct{ current atomic.Pointer[pskSet] }

// pskSet is a list of keys that is in use since a moment. It is never changed.
type pskSet struct {
	keys  [][]byte
	state SecurityState
}

const (
	pskSize = 32
	maxKeys = 8

	// A record is a length of 2 bytes, big-endian, and as many bytes of ciphertext, tag included.
	recordHead = 2
	recordTag  = 16
	maxRecord  = 16 << 10 // of plaintext; larger ones are refused
	maxHello   = 256      // of a handshake message
)

var pskSuite = noise.NewCipherSuite(noise.DH25519, noise.CipherAESGCM, noise.HashSHA256)

// NewPSK takes 1 to 8 keys of 32 bytes. The first is used to dial, all are accepted, so that keys can be changed node by node.
func NewPSK(keys ...[]byte) (*PSK, error) {
	if err := checkPSK(keys); err != nil {
		return nil, err
	}
	p := &PSK{}
	p.current.Store(newPSKSet(keys))
	return p, nil
}

// checkPSK reports keys that are too many, none, or of another size.
func checkPSK(keys [][]byte) error {
	if len(keys) == 0 || len(keys) > maxKeys {
		return fmt.Errorf("pre-shared keys: %d given, want 1 to %d", len(keys), maxKeys)
	}
	for i, k := range keys {
		if len(k) != pskSize {
			return fmt.Errorf("pre-shared key %d of %d has %d bytes, want %d", i+1, len(keys), len(k), pskSize)
		}
	}
	return nil
}

// SetKeys takes other keys into use, as [NewPSK] does. Streams stay; their Verify returns an error once the key of their handshake is
// not in the list any more.
func (p *PSK) SetKeys(keys ...[]byte) error {
	if err := checkPSK(keys); err != nil {
		return err
	}
	p.current.Store(newPSKSet(keys))
	return nil
}

// SecurityState returns the IDs of the keys, in their order, and since when they are in use.
func (p *PSK) SecurityState() SecurityState { return p.current.Load().state }

// has reports whether a key is in use.
func (s *pskSet) has(key []byte) bool {
	return slices.ContainsFunc(s.keys, func(k []byte) bool { return bytes.Equal(k, key) })
}

func newPSKSet(keys [][]byte) *pskSet {
	s := &pskSet{state: SecurityState{Kind: KindPSK, TakenOver: time.Now()}}
	for _, k := range keys {
		s.keys = append(s.keys, bytes.Clone(k))
		s.state.KeyIDs = append(s.state.KeyIDs, keyID(k))
	}
	return s
}

// keyID returns the ID of a key, which is random: 32 bits of a hash of it disclose nothing that helps to find it.
func keyID(key []byte) string {
	h := sha256.New()
	h.Write([]byte("convoke key ID\x00"))
	h.Write(key)
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// ErrKey means that the other side does not hold any of our keys. It is an [ErrUntrusted].
var ErrKey = fmt.Errorf("%w: the other side has another pre-shared key, or none", ErrUntrusted)

var errKeyRemoved = fmt.Errorf("%w: the pre-shared key of this stream was removed", ErrUntrusted)

func handshakeState(key []byte, initiator bool) (*noise.HandshakeState, error) {
	return noise.NewHandshakeState(noise.Config{
		CipherSuite: pskSuite, Random: rand.Reader, Pattern: noise.HandshakeNN,
		Initiator: initiator, PresharedKey: key, Prologue: []byte("convoke/1"),
	})
}

// Client runs the handshake of the side that dialled.
func (p *PSK) Client(ctx context.Context, raw net.Conn) (Conn, error) {
	key := p.current.Load().keys[0]
	return runHandshake(ctx, raw, func() (Conn, error) {
		hs, err := handshakeState(key, true)
		if err != nil {
			return nil, err
		}
		out, _, _, err := hs.WriteMessage(nil, nil)
		if err != nil {
			return nil, err
		}
		if err := writeRecord(raw, out); err != nil {
			return nil, err
		}
		in, err := readRecord(raw, maxHello)
		if err != nil {
			return nil, err
		}
		_, send, receive, err := hs.ReadMessage(nil, in)
		if err != nil { // an empty record, or anything else that is not proof of our key
			return nil, ErrKey
		}
		return &pskConn{Conn: raw, psk: p, key: key, send: send, receive: receive}, nil
	})
}

// Server runs the handshake of the side that was dialled.
func (p *PSK) Server(ctx context.Context, raw net.Conn) (Conn, error) {
	return runHandshake(ctx, raw, func() (Conn, error) {
		in, err := readRecord(raw, maxHello)
		if err != nil {
			return nil, err
		}
		for _, key := range p.current.Load().keys {
			hs, err := handshakeState(key, false)
			if err != nil {
				return nil, err
			}
			if _, _, _, err := hs.ReadMessage(nil, in); err != nil {
				continue
			}
			out, receive, send, err := hs.WriteMessage(nil, nil)
			if err != nil {
				return nil, err
			}
			if err := writeRecord(raw, out); err != nil {
				return nil, err
			}
			return &pskConn{Conn: raw, psk: p, key: key, send: send, receive: receive}, nil
		}
		_ = writeRecord(raw, nil) // reports it to the other side, which would take a closed stream for a full or dying node
		return nil, ErrKey
	})
}

func writeRecord(w io.Writer, b []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(make([]byte, 0, recordHead+len(b)), uint16(len(b))), b...))
	return err
}

func readRecord(r io.Reader, most int) ([]byte, error) {
	var head [recordHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n > most {
		return nil, fmt.Errorf("a record of %d bytes, at most %d are possible", n, most)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}
