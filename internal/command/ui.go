package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/ops"
)

func newUI() *cobra.Command {
	var r agentClient
	var open bool
	var listen string
	c := &cobra.Command{
		Use:   "ui [-c FILE] [--open]",
		Short: "Print the address of the running node's page, or serve the page here",
		Long: `ui prints the address of the page that shows how the node and its cluster are, and with --open opens a browser there.

If the file has the section http, and browsers of this host may read the page there, it ends then. Else it serves the page itself, on a free port of
a loopback address, until it is interrupted: only the page, from the admin socket, and nothing can be changed over it. The address holds a
secret, since other users of this host reach the port too.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkLoopback(listen); err != nil {
				return err
			}
			return r.showPage(c, listen, open)
		},
	}
	clientFlags(c, &r)
	c.Flags().BoolVar(&open, "open", false, "open the page in a browser")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "loopback `host:port` to serve the page on, if that is needed")
	return c
}

// checkLoopback refuses an address that other hosts could reach.
func checkLoopback(listen string) error {
	at, err := netip.ParseAddrPort(listen)
	if err != nil || !at.Addr().IsLoopback() {
		return fmt.Errorf("--listen %q: want a loopback address and a port, such as 127.0.0.1:8080", listen)
	}
	return nil
}

// showPage prints where the page is, and serves it if no port of the agent does.
func (r *agentClient) showPage(c *cobra.Command, listen string, open bool) error {
	d, err := ask[ops.Document](c.Context(), r, get("status"))
	if err != nil {
		return err
	}
	if address := pageAddress(d.Node.HTTP); address != "" && servesNode(c.Context(), address, &d) {
		return r.printPage(c, address, open)
	}
	path, err := r.findSocket()
	if err != nil {
		return err
	}
	var config net.ListenConfig
	l, err := config.Listen(c.Context(), "tcp", listen)
	if err != nil {
		return failedError(fmt.Errorf("--listen: %w", err))
	}
	proxy := newPageProxy(admin.NewClient(path))
	return failedError(proxy.serve(c.Context(), l, func() error {
		if err := r.printPage(c, "http://"+l.Addr().String()+proxy.prefix, open); err != nil {
			return err
		}
		fmt.Fprintf(c.ErrOrStderr(), "serving the page of %s until it is interrupted (Ctrl-C)\n", displayText(d.Node.Name))
		return nil
	}))
}

// printPage prints the address of the page and opens it, if that is wanted.
func (r *agentClient) printPage(c *cobra.Command, address string, open bool) error {
	err := printLine(c.OutOrStdout(), r.as, struct {
		URL string `json:"url"`
	}{address}, address)
	if err == nil && open {
		err = failedError(openBrowser(c.Context(), address))
	}
	return err
}

// pageAddress returns where browsers of this host reach the port of an agent; "" if it serves on none.
func pageAddress(addr string) string {
	at, err := netip.ParseAddrPort(addr)
	switch {
	case err != nil: // a socket, or nothing
		return ""
	case at.Addr().IsUnspecified() && at.Addr().Is4():
		at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	case at.Addr().IsUnspecified():
		at = netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	}
	return "http://" + at.String() + "/"
}

// probeTime bounds the question whether a port is that of the agent.
const probeTime = 2 * time.Second

// servesNode reports whether an address shows the node of a document to whoever asks from here. An agent that asks for a certificate, or runs behind
// another network, does not.
func servesNode(ctx context.Context, address string, d *ops.Document) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"api/v1/status", nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // without the proxies of the environment
	res, err := client.Do(q)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	var there ops.Document
	err = json.NewDecoder(io.LimitReader(res.Body, maxStatus)).Decode(&there)
	return err == nil && res.StatusCode == http.StatusOK && there.Cluster == d.Cluster && there.Node.Name == d.Node.Name && there.Node.Started.Equal(d.Node.Started)
}

// maxStatus bounds the document that is read from a port, in bytes.
const maxStatus = 64 << 20
