package gossip

import (
	"errors"
	"net"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/internal/strictyaml"
)

// Kind is the connector with the protocol's own tuning. It honours every setting of a node.
var Kind = Options{}.Kind()

// Options are what a program can set and a file cannot.
type Options struct {
	// Tuning is how patient the protocol is; nil means gossip.DefaultTuning. node.forget_after of the file takes the place of its ForgetAfter.
	Tuning *gossip.Tuning
}

// Kind returns the connector with these options. Its New returns a [*Connector].
func (o Options) Kind() connector.Kind {
	return connector.Kind{
		Name:    "gossip",
		Doc:     "convoke's own membership core: a crash is known in milliseconds, a partition heals by itself",
		Listens: true,
		Check:   func(n connector.NodeConfig) error { _, err := o.translate(n); return err },
		New: func(n connector.NodeConfig, env connector.Env) (connector.Connector, error) {
			if err := n.Validate(); err != nil {
				return nil, err
			}
			c, err := o.translate(n)
			if err != nil {
				return nil, err
			}
			c.Log, c.TracerProvider, c.Rejoin, c.Keys = env.Log, env.TracerProvider, env.Rejoin, env.Keys
			made, err := newConnector(c)
			if err != nil {
				return nil, err
			}
			made.node = n
			if t, ok := c.Transport.(transport.TCP); ok {
				made.psk, _ = t.Security.(*transport.PSK)
				if err := t.RequireName(n.Name); err != nil {
					return nil, strictyaml.At(string(connector.SettingTLS)+".cert", err)
				}
			}
			return made, nil
		},
	}
}

// translate returns the configuration of the core for a node. It reads the files of TLS.
func (o Options) translate(n connector.NodeConfig) (gossip.Config, error) {
	tuning := gossip.DefaultTuning()
	if o.Tuning != nil {
		tuning = *o.Tuning
	}
	switch n.ForgetAfter {
	case 0: // the tuning has it
	case connector.Never:
		tuning.ForgetAfter = 0
	default:
		tuning.ForgetAfter = time.Duration(n.ForgetAfter)
	}
	security, err := security(n)
	if err != nil {
		return gossip.Config{}, err
	}
	c := gossip.Config{
		Name: n.Name, ClusterID: n.Cluster, Listen: n.Listen, Advertise: advertised(n.Advertise), DataDir: n.DataDir,
		Zone: n.Zone, Version: n.Version,
		Tuning: &tuning, Transport: transport.TCP{Security: security},
	}
	if err := c.Validate(); err != nil { // what is left of it concerns the name
		return c, strictyaml.At("node.name", err)
	}
	return c, nil
}

// advertised adds the port 0, which stands for that of the listener, to a host without one.
func advertised(addr string) string {
	if _, _, err := net.SplitHostPort(addr); addr != "" && err != nil {
		return net.JoinHostPort(addr, "0")
	}
	return addr
}

// security returns what protects the streams between nodes.
func security(n connector.NodeConfig) (transport.Security, error) {
	switch {
	case n.TLS != connector.TLS{}:
		if err := n.TLS.CheckFiles(); err != nil {
			return nil, err
		}
		t, err := transport.NewTLS(n.TLS.Cert, n.TLS.Key, n.TLS.CA)
		if err != nil {
			return nil, strictyaml.At(string(connector.SettingTLS), errors.Unwrap(err)) // without the prefix "tls: "
		}
		return t, nil
	case len(n.Keys) > 0:
		p, err := transport.NewPSK(n.KeyBytes()...)
		if err != nil {
			return nil, strictyaml.At(string(connector.SettingKeys), err)
		}
		return p, nil
	}
	return transport.Plain{}, nil
}
