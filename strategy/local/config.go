package local

import (
	"time"

	"github.com/goconvoke/convoke/strategy"
)

// Config is where the nodes of this machine meet.
type Config struct {
	// Dir is the directory of registrations, made with mode 0700. "" means
	// $XDG_RUNTIME_DIR/convoke, or convoke-<uid> in the directory for temporary files.
	Dir string `yaml:"dir"`

	strategy.PollConfig `yaml:",inline"` // how often the directory is read
}

// DefaultConfig reads the default directory every second.
func DefaultConfig() Config {
	return Config{PollConfig: strategy.PollConfig{Interval: time.Second, Timeout: 5 * time.Second}}
}
