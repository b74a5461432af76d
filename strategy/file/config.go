package file

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/goconvoke/convoke/strategy"
)

// Config names the files.
type Config struct {
	Paths []string `yaml:"paths"` // required, 1 to 100 files or patterns ("conf.d/*.json"); relative to the working directory

	// The labels that become fields of a peer; "" means none. All others become its Attrs.
	IDLabel   string `yaml:"id_label"`
	ZoneLabel string `yaml:"zone_label"`

	strategy.VersionConfig `yaml:",inline"` // whether peers of other versions are left out

	strategy.PollConfig `yaml:",inline"` // how often the files are looked at
}

const (
	maxPaths = 100
	meta     = `*?[` // characters that make a pattern
)

// DefaultConfig looks at the files every 2 s. It names no file.
func DefaultConfig() Config {
	return Config{VersionConfig: strategy.DefaultVersion(), PollConfig: strategy.PollConfig{Interval: 2 * time.Second, Timeout: 5 * time.Second}}
}

// Validate reports missing paths and patterns that no file can match.
func (c Config) Validate() error {
	errs := []error{c.PollConfig.Validate(), c.VersionConfig.Validate()}
	switch n := len(c.Paths); {
	case n == 0:
		errs = append(errs, strategy.At("paths", errors.New("name the files that list the peers")))
	case n > maxPaths:
		errs = append(errs, strategy.At("paths", fmt.Errorf("%d given, at most %d are possible; use a pattern", n, maxPaths)))
	}
	for i, p := range c.Paths {
		key := fmt.Sprintf("paths[%d]", i)
		if p == "" {
			errs = append(errs, strategy.At(key, errors.New("is empty")))
		}
		if _, err := filepath.Match(p, ""); err != nil {
			errs = append(errs, strategy.At(key, fmt.Errorf("%q is not a pattern: %w", p, err)))
		}
		if dir := filepath.Dir(p); strings.ContainsAny(dir, meta) {
			errs = append(errs, strategy.At(key, fmt.Errorf("%q holds a pattern for directories; only the name of the file may be one", p)))
		}
		if _, known := parserFor(p); p != "" && !known {
			errs = append(errs, strategy.At(key, fmt.Errorf("%q ends in none of .json, .yml, .yaml", p)))
		}
	}
	return errors.Join(errs...)
}
