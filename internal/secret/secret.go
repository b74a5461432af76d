// Package secret holds the types of settings that must never be printed. Packages strategy and connector export them under
// names of their own, so that neither has to import the other.
package secret

import (
	"encoding/base64"
	"fmt"
)

// hidden stands for a secret wherever one would be printed.
const hidden = "(hidden)"

// String is a setting that is never printed: not by fmt, not in errors about the configuration, not by explain.
type String string

// String returns a placeholder.
func (s String) String() string { return hidden }

// GoString returns a placeholder.
func (s String) GoString() string { return hidden }

// MarshalText returns a placeholder.
func (s String) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// KeySize is the length of a [Key] in bytes.
const KeySize = 32

// Key is a 256-bit secret key. In YAML it is standard base64, as `openssl rand -base64 32`
// prints it. It is never printed. Keys are comparable with ==.
type Key struct{ bytes [KeySize]byte }

// UnmarshalText decodes standard base64 of exactly 32 bytes. Its errors hold nothing of the key.
func (k *Key) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("key is not base64; make one with: openssl rand -base64 %d", KeySize)
	}
	if len(raw) != KeySize {
		return fmt.Errorf("key has %d bytes, want %d; make one with: openssl rand -base64 %d", len(raw), KeySize, KeySize)
	}
	k.bytes = [KeySize]byte(raw)
	return nil
}

// Bytes returns a copy of the key.
func (k Key) Bytes() []byte { return k.bytes[:] }

// String returns a placeholder.
func (k Key) String() string { return hidden }

// GoString returns a placeholder.
func (k Key) GoString() string { return hidden }

// MarshalText returns a placeholder.
func (k Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }
