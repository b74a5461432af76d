package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goconvoke/convoke/connector"
)

// reloadNode has the connectors take over what they can of the node of a configuration, and logs what else differs from the start.
func (s *Supervisor) reloadNode(c, before *Config) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	var inUse []connector.Setting
	for _, name := range slices.Sorted(maps.Keys(s.connectors)) {
		r, ok := s.connectors[name].(connector.Reloader)
		if !ok {
			continue
		}
		var settings []connector.Setting
		err := recoverPanic(func() (err error) { settings, err = r.Reload(c.Node); return err })
		if err != nil {
			return c.place(fmt.Errorf("connector %s: %w", name, err))
		}
		inUse = append(inUse, settings...)
	}
	var waiting []string
	for _, setting := range c.node.Differences(s.file) {
		if !slices.Contains(inUse, setting) && setting != connector.SettingQuorum && setting != connector.SettingGroups {
			waiting = append(waiting, string(setting))
		}
	}
	if !sameSections(c, before) {
		waiting = append(waiting, "quorum, groups or http")
	}
	if len(waiting) > 0 {
		s.log.Warn("settings that were changed take effect at the next start", "settings", strings.Join(waiting, ", "))
	}
	return nil
}
