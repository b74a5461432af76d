package hostsfile

import (
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/strategy"
)

// Config names the file.
type Config struct {
	Path string `yaml:"path"` // required; relative to the working directory
	Port int    `yaml:"port"` // for lines without one, 1..65535; 0 makes such a line an error

	strategy.PollConfig `yaml:",inline"` // how often the file is looked at
}

// DefaultConfig looks at the file every 2 s. It names no file.
func DefaultConfig() Config {
	return Config{PollConfig: strategy.PollConfig{Interval: 2 * time.Second, Timeout: 5 * time.Second}}
}

// Validate reports a missing path and a port out of range.
func (c Config) Validate() error {
	errs := []error{c.PollConfig.Validate()}
	if c.Path == "" {
		errs = append(errs, strategy.At("path", errors.New("name the file that holds one host:port a line")))
	}
	if c.Port < 0 || c.Port > 65535 {
		errs = append(errs, strategy.At("port", fmt.Errorf("%d is not in 1..65535, nor 0 for none", c.Port)))
	}
	return errors.Join(errs...)
}
