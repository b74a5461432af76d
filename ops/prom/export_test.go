package prom

// Metrics returns the names of all metrics with their help.
func Metrics() map[string]string {
	all := make(map[string]string)
	for _, families := range [][]*family{supervisorFamilies, gossipFamilies, quorumFamilies} {
		for _, f := range families {
			all["convoke_"+f.name] = f.help
		}
	}
	return all
}

// MaxGroups is how many groups have series of their own.
const MaxGroups = maxGroups
