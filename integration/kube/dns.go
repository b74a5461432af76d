package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Domain is the domain of the cluster.
const Domain = "cluster.local"

// DNSOptions of a CoreDNS.
type DNSOptions struct {
	Bind        string // IP address; "" means 127.0.0.1
	Port        int    // 0 means a free one of this process's network
	TTL         int    // of records, in seconds, 0 to 3600
	NegativeTTL int    // for how long "no such name" is answered again from memory, in seconds; 0: never
	Command     Command
	Dial        Dial
}

// DNS is a CoreDNS that answers for the Services of an API server.
type DNS struct {
	Addr string // host:port

	end  context.CancelFunc
	done chan struct{}
}

// Kill ends the server at once. Another one can be started at its address.
func (d *DNS) Kill() {
	d.end()
	<-d.done
}

// RunDNS starts a CoreDNS for the cluster of a server and waits until it answers; it ends with the test.
func RunDNS(t testing.TB, s *Server, o DNSOptions) *DNS {
	t.Helper()
	program := Program(t, "DNSLAB")
	if o.Bind == "" {
		o.Bind = "127.0.0.1"
	}
	if o.Port == 0 {
		o.Port = freePort(t, o.Bind)
	}
	if o.Command == nil {
		o.Command = exec.CommandContext
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	path := filepath.Join(t.TempDir(), "Corefile")
	if err := os.WriteFile(path, []byte(corefile(s.Ready.Kubeconfig, o)), 0o644); err != nil {
		t.Fatal(err)
	}
	d, output := &DNS{Addr: net.JoinHostPort(o.Bind, strconv.Itoa(o.Port)), done: make(chan struct{})}, &tail{max: 16 << 10}
	ctx, cancel := context.WithCancel(context.Background())
	d.end = cancel
	started := make(chan error, 1)
	go d.run(o.Command(ctx, program, "-conf", path), output, started)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Kill()
		if t.Failed() {
			t.Logf("output of CoreDNS:\n%s", output)
		}
	})
	if err := d.awaitAnswer(o); err != nil {
		t.Fatalf("CoreDNS: %v", err)
	}
	return d
}

// run starts the process and waits for its end. The kernel ends the process with the thread that started it, so with
// this one, which is kept.
func (d *DNS) run(process *exec.Cmd, output *tail, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(d.done)
	process.Stdout, process.Stderr = output, output
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := process.Start()
	started <- err
	if err == nil {
		_ = process.Wait() // it was killed
	}
}

func corefile(kubeconfig string, o DNSOptions) string {
	text := fmt.Sprintf(".:%d {\n\tbind %s\n\terrors\n", o.Port, o.Bind)
	if o.NegativeTTL > 0 {
		text += fmt.Sprintf("\tcache {\n\t\tsuccess 1000 1 1\n\t\tdenial 1000 %[1]d %[1]d\n\t}\n", o.NegativeTTL)
	}
	return text + fmt.Sprintf("\tkubernetes %s {\n\t\tkubeconfig %s lab\n\t\tttl %d\n\t}\n}\n", Domain, kubeconfig, o.TTL)
}

// awaitAnswer waits until the server has read the cluster: before, it answers SERVFAIL.
func (d *DNS) awaitAnswer(o DNSOptions) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := d.ask(ctx, o)
		if err == nil && answer.Rcode != dns.RcodeServerFailure {
			return nil
		}
		select {
		case <-tick.C:
		case <-d.done:
			return errors.New("has ended")
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %v %w", startTimeout, answer, err)
		}
	}
}

// ask asks for the version of the schema, which every cluster has.
func (d *DNS) ask(ctx context.Context, o DNSOptions) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := o.Dial(ctx, "udp", d.Addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	question := new(dns.Msg).SetQuestion("dns-version."+Domain+".", dns.TypeTXT)
	answer, _, err := new(dns.Client).ExchangeWithConnContext(ctx, question, &dns.Conn{Conn: conn})
	return answer, err
}

// ResolvConf writes the file that a pod of a namespace has. A server on another port than 53 cannot be named in it.
func (d *DNS) ResolvConf(t testing.TB, namespace string) string {
	t.Helper()
	host, _, err := net.SplitHostPort(d.Addr)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "resolv.conf")
	text := fmt.Sprintf("search %[1]s.svc.%[2]s svc.%[2]s %[2]s\nnameserver %[3]s\noptions ndots:5\n", namespace, Domain, host)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// freePort returns a port that neither UDP nor TCP used a moment ago.
func freePort(t testing.TB, ip string) int {
	t.Helper()
	var err error
	for range 10 {
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort(ip, "0")); err != nil {
			break
		}
		var c net.PacketConn
		c, err = net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err == nil {
			c.Close()
			return l.Addr().(*net.TCPAddr).Port
		}
	}
	t.Fatalf("a port for CoreDNS: %v", err)
	return 0
}

// At returns the options with the address of a server that was killed.
func (o DNSOptions) At(t testing.TB, d *DNS) DNSOptions {
	t.Helper()
	host, port, err := net.SplitHostPort(d.Addr)
	if err == nil {
		o.Port, err = strconv.Atoi(port)
	}
	if err != nil {
		t.Fatal(err)
	}
	o.Bind = host
	return o
}
