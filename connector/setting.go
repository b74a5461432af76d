package connector

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// Setting names a part of a [NodeConfig] as the file does.
type Setting string

// The settings that not every connector can honour. The others (cluster, node.name, node.listen, node.advertise) hold with
// every connector: strategies get them, too.
const (
	SettingZone        Setting = "node.zone"
	SettingVersion     Setting = "node.version"
	SettingDataDir     Setting = "node.data_dir"
	SettingForgetAfter Setting = "node.forget_after"
	SettingTLS         Setting = "node.tls"
	SettingKeys        Setting = "node.keys"
	SettingQuorum      Setting = "quorum"
	SettingGroups      Setting = "groups"
)

// optionalSettings returns the settings that not every connector can honour.
func optionalSettings() []Setting {
	return []Setting{SettingZone, SettingVersion, SettingDataDir, SettingForgetAfter, SettingTLS, SettingKeys, SettingQuorum, SettingGroups}
}

// Given returns which of the optional settings n has.
func (n NodeConfig) Given() []Setting {
	return slices.DeleteFunc(optionalSettings(), func(s Setting) bool {
		switch s {
		case SettingZone:
			return n.Zone == ""
		case SettingVersion:
			return n.Version == ""
		case SettingDataDir:
			return n.DataDir == ""
		case SettingForgetAfter:
			return n.ForgetAfter == 0
		case SettingTLS:
			return n.TLS == TLS{}
		case SettingQuorum:
			return !n.Quorum
		case SettingGroups:
			return !n.Groups
		}
		return len(n.Keys) == 0
	})
}

// Refuse returns an error, placed in the file, for each of these settings that n has: the answer of a [Kind.Check] for what
// its connector cannot honour.
func (n NodeConfig) Refuse(connector string, settings ...Setting) error {
	var errs []error
	for _, s := range n.Given() {
		if slices.Contains(settings, s) {
			errs = append(errs, strictyaml.At(string(s), fmt.Errorf("the connector %s does not honour this setting; leave it out or name a connector that does", connector)))
		}
	}
	return errors.Join(errs...)
}
