package exec

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goconvoke/convoke/strategy"
)

// Config is the program to run and how.
type Config struct {
	// Command is the program with its arguments. No shell reads it: each entry is one argument as it stands.
	// A program without a slash is searched in the PATH of this process.
	Command []string `yaml:"command"`
	Dir     string   `yaml:"dir"` // working directory; "" means that of this process

	// Env is added to the few variables that are inherited, or replaces them. Values are never printed.
	Env map[string]strategy.Secret `yaml:"env"`

	Port int `yaml:"port"` // of lines without one, 1..65535; 0 makes such a line an error

	// The labels of JSON that become fields of a peer; "" means none. All others become its Attrs.
	IDLabel   string `yaml:"id_label"`
	ZoneLabel string `yaml:"zone_label"`

	strategy.VersionConfig `yaml:",inline"` // whether peers of other versions are left out

	strategy.PollConfig `yaml:",inline"` // the program is killed at the timeout
}

// DefaultConfig runs the program every 5 s, for 10 s at most. It names no program.
func DefaultConfig() Config {
	return Config{VersionConfig: strategy.DefaultVersion(), PollConfig: strategy.PollConfig{Interval: 5 * time.Second, Timeout: 10 * time.Second}}
}

// Validate reports what cannot work, all of it. It does not look for the program.
func (c Config) Validate() error {
	errs := []error{c.PollConfig.Validate(), c.VersionConfig.Validate()}
	bad := func(key, format string, args ...any) {
		errs = append(errs, strategy.At(key, fmt.Errorf(format, args...)))
	}
	switch {
	case len(c.Command) == 0:
		bad("command", "name the program and its arguments, such as [/usr/local/bin/peers, --all]")
	case c.Command[0] == "":
		bad("command[0]", "name the program")
	case len(c.Command) == 1 && strings.ContainsAny(c.Command[0], " \t|;$") && !strings.ContainsAny(c.Command[0], `/\`):
		bad("command[0]", "%q is not a program; no shell reads it, so write [program, argument, …] or [sh, -c, …]", c.Command[0])
	}
	for i, arg := range c.Command {
		if strings.ContainsRune(arg, 0) {
			bad(fmt.Sprintf("command[%d]", i), "the argument holds a zero byte")
		}
	}
	if strings.ContainsRune(c.Dir, 0) {
		bad("dir", "the path holds a zero byte")
	}
	for name, value := range c.Env {
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			bad("env", "%q is not a valid variable name", name)
		case strings.ContainsRune(string(value), 0):
			bad("env."+name, "the value holds a zero byte")
		}
	}
	if c.Port < 0 || c.Port > 65535 {
		bad("port", "%d is not in 1..65535, nor 0 for none", c.Port)
	}
	return errors.Join(errs...)
}
