// Package lab makes a small network of hosts out of Linux network namespaces: every host has
// one cable (eth0) into one switch. Networks can be parted and healed, cables pulled, packets lost.
// Nothing is made in the namespace of the caller: the switch is a namespace too.
//
// A test binary that uses it runs its tests through [Main].
package lab

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// MaxHosts is the largest number of hosts in one lab: the last byte of an address is the host's number.
const MaxHosts = 200

// commandTimeout bounds each call of ip and nft. They take milliseconds; a busy machine may
// need seconds.
const commandTimeout = 20 * time.Second

// Lab is a network of hosts 1..N on one switch. Its methods fail the test when the
// network cannot be changed, so they are called from the test's own goroutine.
type Lab struct {
	t        testing.TB
	name     string // unique on this machine, see run.go
	n        int
	ipv6Only bool
}

// New makes a lab of n hosts and removes it when the test ends. A machine that cannot have
// one skips the test; with REQUIRE_LABS=1 in the environment that is a failure.
func New(t testing.TB, n int) *Lab {
	t.Helper()
	return build(t, &Lab{t: t, n: n})
}

// NewIPv6Only is [New] with hosts that have no IPv4 address.
func NewIPv6Only(t testing.TB, n int) *Lab {
	t.Helper()
	return build(t, &Lab{t: t, n: n, ipv6Only: true})
}

func build(t testing.TB, l *Lab) *Lab {
	t.Helper()
	n := l.n
	if n < 1 || n > MaxHosts {
		t.Fatalf("lab: %d hosts, want 1..%d", n, MaxHosts)
	}
	if why := unavailable(); why != nil {
		Missing(t, "network namespaces: %v", why)
	}
	name, err := nextName()
	if err != nil {
		Missing(t, "network namespaces: %v", err)
	}
	l.name = name
	if err := l.addNamespaces(); err != nil {
		removeNamespaces(name)
		Missing(t, "network namespaces: %v", err)
	}
	t.Cleanup(l.close)
	l.batch(l.switchName(), l.switchCommands())
	for i := 1; i <= n; i++ {
		l.batch(l.Host(i), l.hostCommands(i))
	}
	return l
}

// Hosts returns the number of hosts.
func (l *Lab) Hosts() int { return l.n }

// Host returns the name of the namespace of host i.
func (l *Lab) Host(i int) string { return fmt.Sprintf("%s-h%d", l.name, i) }

// IP returns the IPv4 address of host i, unless it is IPv6 only.
func (l *Lab) IP(i int) string { return fmt.Sprintf("10.99.0.%d", i) }

// IP6 returns the IPv6 address of host i.
func (l *Lab) IP6(i int) string { return fmt.Sprintf("fd99::%x", i) }

// Partition puts each group of hosts on a switch of its own: ARP, unicast and multicast end at
// once, connections stay open and silent. Hosts in no group stay with the first group.
func (l *Lab) Partition(groups ...[]int) {
	l.t.Helper()
	if len(groups) > l.n {
		l.t.Fatalf("lab: %d groups of %d hosts", len(groups), l.n)
	}
	var b strings.Builder
	for g, hosts := range groups {
		for _, i := range hosts {
			fmt.Fprintf(&b, "link set p%d master br%d\n", i, g)
		}
	}
	l.batch(l.switchName(), b.String())
}

// Heal puts all hosts back on one switch.
func (l *Lab) Heal() {
	l.t.Helper()
	var b strings.Builder
	for i := 1; i <= l.n; i++ {
		fmt.Fprintf(&b, "link set p%d master br0\n", i)
	}
	l.batch(l.switchName(), b.String())
}

// Cable plugs the cable of host i in (up) or pulls it (the host sees no carrier).
func (l *Lab) Cable(i int, up bool) {
	l.t.Helper()
	state := "down"
	if up {
		state = "up"
	}
	l.batch(l.switchName(), fmt.Sprintf("link set p%d %s\n", i, state))
}

// Readdress gives host i the IPv4 address of the number another in place of its own, as a new lease of DHCP may.
func (l *Lab) Readdress(i, another int) {
	l.t.Helper()
	l.batch(l.Host(i), fmt.Sprintf("addr del %s/24 dev eth0\naddr add %s/24 dev eth0\nroute replace default dev eth0\n", l.IP(i), l.IP(another)))
}

// Loss drops the given percentage (0..99) of the IP packets that reach host i; 0 ends it. With
// Loss on two hosts both directions between them lose packets.
func (l *Lab) Loss(i, percent int) {
	l.t.Helper()
	if percent < 0 || percent > 99 {
		l.t.Fatalf("lab: loss of %d percent, want 0..99", percent)
	}
	rules := "table inet loss {}\ndelete table inet loss\n"
	if percent > 0 {
		rules += fmt.Sprintf(`table inet loss {
	chain in {
		type filter hook input priority 0
		iifname "eth0" numgen random mod 100 < %d drop
	}
}
`, percent)
	}
	l.Nft(i, rules)
}

// Nft loads nftables rules in host i. A machine without nft skips the test, as in [New].
func (l *Lab) Nft(i int, rules string) {
	l.t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		Missing(l.t, "nft (package nftables): %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	c := l.Command(ctx, i, "nft", "-f", "-")
	c.Stdin = strings.NewReader(rules)
	if out, err := c.CombinedOutput(); err != nil {
		l.t.Fatalf("lab: nft in host %d: %v: %s", i, err, bytes.TrimSpace(out))
	}
}

// Command prepares a program to run in host i; it is killed when ctx is done. The process started
// is the program itself, so signals to it arrive.
func (l *Lab) Command(ctx context.Context, i int, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", l.Host(i), program}, args...)...)
}

func (l *Lab) switchName() string { return l.name + "-sw" }

func (l *Lab) addNamespaces() error {
	var b strings.Builder
	fmt.Fprintf(&b, "netns add %s\n", l.switchName())
	for i := 1; i <= l.n; i++ {
		fmt.Fprintf(&b, "netns add %s\n", l.Host(i))
	}
	return ipBatch("", b.String())
}

// switchCommands makes one bridge for all hosts and one for each side a partition may have, and
// plugs all cables into the first. Without snooping, multicast needs no querier.
func (l *Lab) switchCommands() string {
	var b strings.Builder
	for g := range l.n {
		fmt.Fprintf(&b, "link add br%d type bridge mcast_snooping 0 forward_delay 0\nlink set br%d up\n", g, g)
	}
	for i := 1; i <= l.n; i++ {
		fmt.Fprintf(&b, "link add p%d type veth peer name eth0 address 02:00:00:00:00:%02x netns %s\n", i, i, l.Host(i))
		fmt.Fprintf(&b, "link set p%d master br0 up\n", i)
	}
	return b.String()
}

// hostCommands gives host i its addresses. The link-local one is set by hand too: an address
// that the kernel generates is tentative, and mute, for its first two seconds.
func (l *Lab) hostCommands(i int) string {
	commands := fmt.Sprintf(`link set lo up
link set eth0 addrgenmode none
addr add %s/64 dev eth0 nodad
addr add fe80::%x/64 dev eth0 nodad
link set eth0 up
`, l.IP6(i), i)
	if !l.ipv6Only {
		commands += fmt.Sprintf("addr add %s/24 dev eth0\nroute add default dev eth0\n", l.IP(i))
	}
	return commands
}

func (l *Lab) batch(namespace, commands string) {
	l.t.Helper()
	if err := ipBatch(namespace, commands); err != nil {
		l.t.Fatalf("lab: %v", err)
	}
}

func (l *Lab) close() { removeNamespaces(l.name) }

// ipBatch runs the commands with one ip process in a namespace, "" for the caller's.
func ipBatch(namespace, commands string) error {
	args := []string{"-batch", "-"}
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, "ip", args...)
	c.Stdin = strings.NewReader(commands)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
