package connector

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goconvoke/convoke/internal/secret"
	"github.com/goconvoke/convoke/internal/strictyaml"
	"github.com/goconvoke/convoke/peer"
)

const (
	defaultListen = "0.0.0.0:7946"
	maxName       = 255 // bytes of a cluster ID, a zone and a version
	maxKeys       = 8
)

// NodeConfig describes this node: the section "node" of a configuration file, and the cluster ID. It is plain data. A
// connector honours each setting that is given, or refuses it: see [Kind].
type NodeConfig struct {
	// Cluster is the cluster ID, 1 to 255 bytes. Nodes of another cluster are refused.
	Cluster string `yaml:"-"`
	// Name is unique in the cluster and best kept across restarts.
	Name string `yaml:"name"`
	// Listen is the host:port that the connector listens on; port 0 takes a free one.
	Listen string `yaml:"listen"`
	// Advertise is the host or host:port that peers dial; "" means that the connector finds it out.
	Advertise string `yaml:"advertise"`
	// Zone is the failure zone of this node, for others to read; at most 255 bytes of printable text.
	Zone string `yaml:"zone"`
	// Version is the version of the program, for others to read; at most 255 bytes of printable text.
	Version string `yaml:"version"`
	// DataDir is the directory in which members, keys and the shared map survive a restart; "" means that nothing does.
	DataDir string `yaml:"data_dir"`
	// ForgetAfter is how long a member may be unreachable before it is forgotten.
	ForgetAfter Retention `yaml:"forget_after"`
	// TLS is mutual TLS between nodes.
	TLS TLS `yaml:"tls"`
	// Keys are pre-shared keys, at most 8: the first encrypts, all decrypt. TLS and Keys exclude each other.
	Keys []Key `yaml:"keys"`
	// Quorum and Groups report that the file has these sections, which need the views and the streams between members of package gossip.
	Quorum, Groups bool `yaml:"-"`
}

// TLS names files in PEM form. All three or none are given.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	CA   string `yaml:"ca"`
}

// Key is a pre-shared key of 32 bytes. In YAML it is standard base64, as `openssl rand -base64 32` prints it. It is never
// printed; Bytes returns it.
type Key = secret.Key

// DefaultNode returns what holds where a file is silent: a node named after its host that listens on all interfaces.
func DefaultNode() NodeConfig {
	name, err := os.Hostname()
	if err != nil {
		name = "" // then the file has to name the node
	}
	return NodeConfig{Name: name, Listen: defaultListen}
}

// Validate reports all that is wrong with n, whatever the connector: the error joins one for each setting, placed in the
// file. It reads no file and uses no network.
func (n NodeConfig) Validate() error {
	var errs []error
	at := func(setting Setting, err error) { errs = append(errs, strictyaml.At(string(setting), err)) }
	switch {
	case n.Cluster == "":
		at("cluster", errors.New("a cluster ID is required: it keeps two clusters from merging"))
	case len(n.Cluster) > maxName:
		at("cluster", fmt.Errorf("%d bytes, at most %d are possible", len(n.Cluster), maxName))
	}
	if n.Name == "" {
		at("node.name", errors.New("required, because this host has no name of its own"))
	}
	at("node.listen", checkListen(n.Listen))
	at("node.advertise", checkAdvertise(n.Advertise))
	at(SettingZone, checkText(n.Zone))
	at(SettingVersion, checkText(n.Version))
	at(SettingForgetAfter, n.ForgetAfter.validate())
	switch given := n.TLS.files(); {
	case given != 0 && given != 3:
		at(SettingTLS, errors.New("cert, key and ca belong together; give all three or none"))
	case given != 0 && len(n.Keys) > 0:
		at(SettingKeys, errors.New("node.tls is given too; take one: mutual TLS encrypts by itself"))
	}
	if len(n.Keys) > maxKeys {
		at(SettingKeys, fmt.Errorf("%d keys, at most %d are possible", len(n.Keys), maxKeys))
	}
	return errors.Join(errs...)
}

// files returns how many files are given.
func (t TLS) files() (n int) {
	for _, name := range []string{t.Cert, t.Key, t.CA} {
		if name != "" {
			n++
		}
	}
	return n
}

// CheckFiles returns an error for each file that cannot be read, placed in the file of the configuration.
func (t TLS) CheckFiles() error {
	var errs []error
	for _, f := range []struct{ key, name string }{{"cert", t.Cert}, {"key", t.Key}, {"ca", t.CA}} {
		if f.name == "" {
			continue
		}
		opened, err := os.Open(f.name)
		if err == nil {
			_ = opened.Close() // it was opened for reading only
		}
		errs = append(errs, strictyaml.At(string(SettingTLS)+"."+f.key, err))
	}
	return errors.Join(errs...)
}

// KeyBytes returns copies of the keys.
func (n NodeConfig) KeyBytes() [][]byte {
	var all [][]byte
	for _, k := range n.Keys {
		all = append(all, k.Bytes())
	}
	return all
}

// Equal reports whether both describe the same node.
func (n NodeConfig) Equal(o NodeConfig) bool { return len(n.Differences(o)) == 0 }

// Differences returns the settings that n and o have different values of, as the file names them.
func (n NodeConfig) Differences(o NodeConfig) []Setting {
	var all []Setting
	for _, s := range []struct {
		name Setting
		same bool
	}{
		{"cluster", n.Cluster == o.Cluster},
		{"node.name", n.Name == o.Name},
		{"node.listen", n.Listen == o.Listen},
		{"node.advertise", n.Advertise == o.Advertise},
		{SettingZone, n.Zone == o.Zone},
		{SettingVersion, n.Version == o.Version},
		{SettingDataDir, n.DataDir == o.DataDir},
		{SettingForgetAfter, n.ForgetAfter == o.ForgetAfter},
		{SettingTLS, n.TLS == o.TLS},
		{SettingKeys, slices.Equal(n.Keys, o.Keys)},
		{SettingQuorum, n.Quorum == o.Quorum},
		{SettingGroups, n.Groups == o.Groups},
	} {
		if !s.same {
			all = append(all, s.name)
		}
	}
	return all
}

func checkListen(hostport string) error {
	_, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return fmt.Errorf("%q: want host:port, such as %s", hostport, defaultListen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q: port %q is not a number in 0..65535", hostport, port)
	}
	return nil
}

func checkAdvertise(addr string) error {
	if addr == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(addr); err == nil {
		_, err := peer.Addr(addr)
		return err
	}
	if _, err := peer.Addr(net.JoinHostPort(addr, "1")); err != nil { // a host alone takes the port of listen
		return fmt.Errorf("%q: want a host, such as a.example.com or ::1, or host:port, such as [::1]:7946", addr)
	}
	return nil
}

func checkText(s string) error {
	switch {
	case len(s) > maxName:
		return fmt.Errorf("%d bytes, at most %d are possible", len(s), maxName)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%q is not printable text", s)
	}
	return nil
}
