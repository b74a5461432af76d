package strategy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goconvoke/convoke/peer"
)

// The values of VersionConfig.Version.
const (
	anyVersion  = "any"
	sameVersion = "same"
)

// VersionConfig keeps the versions of a rollout apart. Configurations of strategies whose source has versions embed it with
// `yaml:",inline"` and pass their lookup through [VersionConfig.Filter].
type VersionConfig struct {
	VersionLabel string `yaml:"version_label"` // label that becomes Peer.Version; "" means none
	OwnVersion   string `yaml:"own_version"`   // of this node, for version: same
	Version      string `yaml:"version"`       // of the peers: "any", or "same" as OwnVersion
}

// DefaultVersion lets all versions meet and names no label.
func DefaultVersion() VersionConfig { return VersionConfig{Version: anyVersion} }

// Validate reports what version: same lacks.
func (c VersionConfig) Validate() error {
	switch c.Version {
	case anyVersion:
		return nil
	case sameVersion:
	default:
		return At("version", fmt.Errorf("%q is unknown; want %s, %s", c.Version, anyVersion, sameVersion))
	}
	var errs []error
	if c.VersionLabel == "" {
		errs = append(errs, At("version_label", errors.New("version: same needs the label that holds the version")))
	}
	if c.OwnVersion == "" {
		errs = append(errs, At("own_version", errors.New("version: same needs this node's own, such as ${POD_VERSION} from the downward API")))
	}
	return errors.Join(errs...)
}

// Meets reports whether peers of this version are wanted. A peer without a version is of no version.
func (c VersionConfig) Meets(version string) bool {
	return c.Version != sameVersion || version == c.OwnVersion
}

// Filter returns a lookup that leaves out what l finds of other versions. It warns once when that is all there is.
func (c VersionConfig) Filter(l Lookup, env Env) Lookup {
	if c.Version != sameVersion {
		return l
	}
	log, warned := env.withDefaults().Log, false
	return func(ctx context.Context) ([]peer.Peer, error) {
		all, err := l(ctx)
		kept := slices.DeleteFunc(slices.Clone(all), func(p peer.Peer) bool { return !c.Meets(p.Version) })
		if len(all) > 0 && len(kept) == 0 && !warned {
			warned = true
			log.Warn("no peer has the version of this node", "own_version", c.OwnVersion, "version_label", c.VersionLabel,
				"of_other_version", len(all), "example", all[0].Version)
		}
		return kept, err
	}
}
