package multicast

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/goconvoke/convoke/strategy"
)

const aesKeySize = 32 // bytes: AES-256

// codec turns packets into datagrams of one cluster and back. It is immutable.
type codec struct {
	cluster [8]byte
	keys    []sealKey // the first seals, all open; none: packets are plain
}

// sealKey is one key of a cluster. The hint names it on the wire, so that a packet of another
// key costs a comparison and no decryption.
type sealKey struct {
	hint [4]byte
	aead cipher.AEAD
}

// newCodec derives what the packets of a cluster are marked and sealed with. Two clusters
// that share a key still have different derived keys.
func newCodec(clusterID string, keys []strategy.Key) (*codec, error) {
	sum := sha256.Sum256([]byte("convoke multicast cluster\x00" + clusterID))
	c := &codec{cluster: [8]byte(sum[:])}
	for i, k := range keys {
		secret, err := deriveKey(k, clusterID, "convoke multicast v1 aes-256-gcm", aesKeySize)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		hint, err := deriveKey(k, clusterID, "convoke multicast v1 key hint", 4)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		block, err := aes.NewCipher(secret)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		c.keys = append(c.keys, sealKey{[4]byte(hint), aead})
	}
	return c, nil
}

func deriveKey(k strategy.Key, clusterID, purpose string, size int) ([]byte, error) {
	return hkdf.Key(sha256.New, k.Bytes(), []byte(clusterID), purpose, size)
}

// hasKeys reports whether packets are sealed.
func (c *codec) hasKeys() bool { return len(c.keys) > 0 }

// encode appends the datagram of p to b. The nonce is random.
func (c *codec) encode(b []byte, p *packet) []byte {
	if !c.hasKeys() {
		return p.appendBody(c.appendHeader(b, suitePlain))
	}
	var nonce [sealedSize - offNonce]byte
	rand.Read(nonce[:]) // never fails
	return c.seal(b, &c.keys[0], nonce[:], p)
}

func (c *codec) seal(b []byte, k *sealKey, nonce []byte, p *packet) []byte {
	start := len(b)
	b = append(append(c.appendHeader(b, suiteSealed), k.hint[:]...), nonce...)
	body := p.appendBody(make([]byte, 0, maxPacket))
	return k.aead.Seal(b, nonce, body, b[start:])
}

func (c *codec) appendHeader(b []byte, suite byte) []byte {
	b = append(b, magic[:]...)
	b = append(b, version, suite)
	return append(b, c.cluster[:]...)
}

// precheck judges a datagram by its size and header alone: a few comparisons, whatever it holds.
func (c *codec) precheck(b []byte) dropReason {
	switch {
	case len(b) == 0 || len(b) > maxPacket:
		return badSize
	case bytes.HasPrefix(b, libPrefix):
		return libcluster
	case len(b) < plainSize || [4]byte(b) != magic:
		return badMagic
	case b[offVersion] != version || b[offSuite] > suiteSealed:
		return badVersion
	case [8]byte(b[offCluster:]) != c.cluster:
		return badCluster
	case b[offSuite] == suitePlain && c.hasKeys():
		return badPlain
	case b[offSuite] == suitePlain:
		return accepted
	case len(b) < sealedSize+tagSize:
		return malformed
	}
	for i := range c.keys {
		if [4]byte(b[offHint:]) == c.keys[i].hint {
			return accepted
		}
	}
	return badKey
}

// open returns the packet of a datagram that precheck accepted. buf is scratch space.
func (c *codec) open(buf, b []byte) (packet, dropReason) {
	body := b[plainSize:]
	if c.hasKeys() {
		var v dropReason
		if body, v = c.unseal(buf, b); v != accepted {
			return packet{}, v
		}
	}
	p, err := parseBody(body)
	if err != nil {
		return packet{}, malformed
	}
	return p, accepted
}

func (c *codec) unseal(buf, b []byte) ([]byte, dropReason) {
	for i := range c.keys {
		k := &c.keys[i]
		if [4]byte(b[offHint:]) != k.hint {
			continue
		}
		body, err := k.aead.Open(buf[:0], b[offNonce:sealedSize], b[sealedSize:], b[:sealedSize])
		if err == nil {
			return body, accepted
		}
	}
	return nil, badKey
}
