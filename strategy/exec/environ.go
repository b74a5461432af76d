package exec

import (
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// inherited are the variables that a program gets from this process. They hold where things are and
// in which language to speak; anything else may be a secret of the application and is left out.
var inherited = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ", "TMPDIR",
	// of Windows, where little runs without them
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERNAME", "USERPROFILE",
	"APPDATA", "LOCALAPPDATA", "PROGRAMDATA",
}

// programEnv returns the environment of the program: what is inherited, then the topology, the cluster and
// this node, then the configured variables; of two with one name the later one counts.
func programEnv(own map[string]strategy.Secret, env strategy.Env) []string {
	var all []string
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			all = append(all, name+"="+value)
		}
	}
	all = append(all, "CONVOKE_TOPOLOGY="+env.Topology, "CONVOKE_CLUSTER="+env.ClusterID)
	if env.Self != nil {
		node, addr := selfIdentity(env.Self())
		all = append(all, "CONVOKE_NODE="+node, "CONVOKE_ADDR="+addr)
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		all = append(all, name+"="+string(own[name]))
	}
	return all
}

// selfIdentity returns the name of this node and the address to register it under: the preferred one of those with a
// specified host, else the preferred one. Both are "" while they are unknown.
func selfIdentity(self []peer.Peer) (node, addr string) {
	if len(self) == 0 {
		return "", ""
	}
	best := 0
	if i := slices.IndexFunc(self, hasHost); i >= 0 {
		best = i
	}
	return self[0].ID, self[best].Addr
}

// hasHost reports whether others can dial the address of p as it stands: 0.0.0.0 and :: give a port alone.
func hasHost(p peer.Peer) bool {
	host, _, err := net.SplitHostPort(p.Addr)
	ip, bad := netip.ParseAddr(host)
	return err == nil && host != "" && (bad != nil || !ip.IsUnspecified())
}
