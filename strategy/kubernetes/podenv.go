package kubernetes

import (
	"strings"

	"github.com/goconvoke/convoke/internal/bounded"
	"github.com/goconvoke/convoke/strategy/internal/podenv"
)

const resolvConf = "/etc/resolv.conf"

// searchNames returns the search names of a resolv.conf, none if it cannot be read.
func searchNames(path string) []string {
	data, _ := bounded.ReadFile(path, maxFile) // a missing file is as good as one without the line
	var names []string
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] == "search" {
			names = append(names, words[1:]...)
		}
	}
	return names
}

// prefersIPv6 reports whether addresses of IPv6 are taken where there is a choice.
func (r *resolver) prefersIPv6() bool {
	switch r.config.Family {
	case IPv4:
		return false
	case IPv6:
		return true
	}
	return podenv.PrefersIPv6(r.env.Self())
}
