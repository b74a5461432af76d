package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

const (
	innerEnv = "CONVOKE_LAB_INNER" // set in the copy of the test binary that has a user namespace
	probeEnv = "CONVOKE_LAB_PROBE" // names the probe that a copy of the test binary shall be

	capNetAdmin, capSysAdmin = 12, 21 // linux/capability.h
)

// Probe is a small program inside a test binary: [Lab.Probe] runs it in a host.
type Probe func(args []string) error

// Main runs the tests of a package, or one of its probes, and returns the exit code. Without the
// rights to make namespaces the binary runs once more in a user namespace, where it has them.
func Main(m *testing.M, probes map[string]Probe) int {
	if name := os.Getenv(probeEnv); name != "" {
		return runProbe(name, probes[name])
	}
	if os.Getenv(innerEnv) != "" {
		if err := syscall.Mount("none", "/run", "tmpfs", 0, ""); err != nil {
			refused = fmt.Errorf("mount tmpfs on /run in a user namespace: %w", err)
		} else if err := ipBatch("", "link set lo up\n"); err != nil {
			refused = fmt.Errorf("a user namespace without a loopback interface: %w", err)
		}
	} else if !privileged() {
		code, err := rerun()
		if err == nil {
			return code
		}
		refused = fmt.Errorf("not privileged, and no user namespace: %w", err)
	}
	defer endRun()
	return m.Run()
}

// refused is why this process can have no namespaces; set before the tests run.
var refused error

// unavailable returns why labs cannot be made here, or nil.
var unavailable = sync.OnceValue(func() error {
	if refused != nil {
		return refused
	}
	if !privileged() {
		return errors.New("not privileged; the package's TestMain must call lab.Main")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return fmt.Errorf("ip is missing (package iproute2): %w", err)
	}
	return nil
})

// Missing skips the test because the machine lacks something, or fails it where REQUIRE_LABS=1
// requires that nothing is lacking.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("REQUIRE_LABS") == "1" {
		t.Fatalf("REQUIRE_LABS=1, but missing: "+format, args...)
	}
	t.Skipf("missing: "+format, args...)
}

// rerun runs this binary again in a user, network and mount namespace of its own, and returns
// its exit code.
func rerun() (int, error) {
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Args[0] = os.Args[0]
	c.Env = append(os.Environ(), innerEnv+"=1")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	err := c.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

var effective = regexp.MustCompile(`(?m)^CapEff:\s*([0-9a-f]+)$`)

// privileged reports whether this process may make network namespaces and mount them.
func privileged() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	m := effective.FindSubmatch(status)
	if m == nil {
		return false
	}
	caps, err := strconv.ParseUint(string(m[1]), 16, 64)
	return err == nil && caps>>capNetAdmin&1 == 1 && caps>>capSysAdmin&1 == 1
}

func runProbe(name string, p Probe) int {
	if p == nil {
		fmt.Fprintf(os.Stderr, "lab: no probe %q\n", name)
		return 2
	}
	if err := p(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "probe %s: %v\n", name, err)
		return 1
	}
	return 0
}
