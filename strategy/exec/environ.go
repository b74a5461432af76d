package exec

import (
	"maps"
	"os"
	"slices"

	"github.com/goconvoke/convoke/strategy"
)

// inherited are the variables that a program gets from this process. They say where things are and
// in which language to speak; anything else may be a secret of the application and is left out.
var inherited = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ", "TMPDIR",
	// of Windows, where little runs without them
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERNAME", "USERPROFILE",
	"APPDATA", "LOCALAPPDATA", "PROGRAMDATA",
}

// environ returns the environment of the program: what is inherited, then what the strategy says of
// itself, then the configured variables; of two with one name the later one counts.
func environ(own map[string]strategy.Secret, env strategy.Env) []string {
	var all []string
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			all = append(all, name+"="+value)
		}
	}
	all = append(all, "CONVOKE_TOPOLOGY="+env.Topology, "CONVOKE_CLUSTER="+env.ClusterID)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		all = append(all, name+"="+string(own[name]))
	}
	return all
}
