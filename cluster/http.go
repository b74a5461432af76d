package cluster

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// HTTP is the section "http" of a file: where the node serves probes and what it knows, for reading alone. It is plain data, as
// [Quorum] is.
type HTTP struct {
	// Listen is the host:port to listen on; port 0 takes a free one.
	Listen string `yaml:"listen"`
	// Names are the names, besides localhost, under which the node may be asked. IP addresses are always accepted. The check keeps pages of
	// other sites, whose names are made to point here, from reading what browsers can reach.
	Names []string `yaml:"names"`
}

// DefaultHTTP returns what holds where the section is silent: loopback alone.
func DefaultHTTP() HTTP { return HTTP{Listen: "127.0.0.1:7947"} }

// Validate reports all that is wrong with h, placed in the section.
func (h *HTTP) Validate() error {
	var errs []error
	if _, port, err := net.SplitHostPort(h.Listen); err != nil {
		errs = append(errs, strictyaml.At("listen", fmt.Errorf("%q: want host:port, such as %s", h.Listen, DefaultHTTP().Listen)))
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		errs = append(errs, strictyaml.At("listen", fmt.Errorf("%q: port %q is not a number in 0..65535", h.Listen, port)))
	}
	for i, name := range h.Names {
		if _, _, err := net.SplitHostPort(name); name == "" || err == nil {
			errs = append(errs, strictyaml.At(fmt.Sprintf("names[%d]", i), fmt.Errorf("%q: want the name of a host, without a port", name)))
		}
	}
	return errors.Join(errs...)
}
