//go:build !unix

package hostsfile

const nonblocking = 0
