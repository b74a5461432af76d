//go:build !unix

package reread

const nonblocking = 0
