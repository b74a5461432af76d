//go:build !linux

package transport

import "syscall"

// keepThinStreamsFast does nothing: only Linux can resend without a backoff.
func keepThinStreamsFast(string, string, syscall.RawConn) error { return nil }
