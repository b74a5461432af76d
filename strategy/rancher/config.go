package rancher

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/goconvoke/convoke/strategy"
)

// Config is which containers are peers and the server to ask for them.
type Config struct {
	Port int `yaml:"port"` // required, 1..65535; the metadata does not know where the peers listen

	// Service is the name of a service; "" means the own one. Stack is the stack it is in, "" means the
	// own one. Upper and lower case are the same.
	Service string `yaml:"service"`
	Stack   string `yaml:"stack"`

	// A container is a peer when it is in one of these states, and its health in one of those. A
	// container without a health check has the health "none".
	States       []string `yaml:"states"`
	HealthStates []string `yaml:"health_states"`

	// The labels of a container that become fields of its peer; "" means none.
	ZoneLabel string `yaml:"zone_label"`

	URL  string        `yaml:"url"`  // of the metadata, with the version of their form, 2015-12-19 at least
	Wait time.Duration `yaml:"wait"` // how long the server may keep a question for changes, 1s to 2m; 0 asks each interval only

	strategy.VersionConfig `yaml:",inline"` // whether peers of other versions are left out

	strategy.PollConfig `yaml:",inline"`
}

const (
	minWait  = time.Second
	maxWait  = 2 * time.Minute // the server does not wait longer
	maxName  = 255             // bytes of the name of a service, stack or label
	namesAll = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
)

// DefaultConfig asks for the containers of the own service that run or start and are not known to be
// ill: every 5 s, with 10 s for an answer, and at once when the server reports a change. It has no port.
func DefaultConfig() Config {
	return Config{
		States: []string{"running", "starting"},
		// Rancher has initializing where others have starting.
		HealthStates:  []string{"healthy", "none", "starting", "initializing", "reinitializing"},
		URL:           "http://rancher-metadata/2016-07-29",
		Wait:          30 * time.Second,
		VersionConfig: strategy.DefaultVersion(),
		PollConfig:    strategy.PollConfig{Interval: 5 * time.Second, Timeout: 10 * time.Second},
	}
}

// Validate reports what cannot work, all of it.
func (c Config) Validate() error {
	errs := []error{c.PollConfig.Validate(), c.VersionConfig.Validate()}
	bad := func(key, format string, args ...any) {
		errs = append(errs, strategy.At(key, fmt.Errorf(format, args...)))
	}
	switch {
	case c.Port == 0:
		bad("port", "set the port on which the peers listen")
	case c.Port < 0 || c.Port > 65535:
		bad("port", "%d is not in 1..65535", c.Port)
	}
	if c.Stack != "" && c.Service == "" {
		bad("service", "name the service of the stack %q", c.Stack)
	}
	for key, name := range map[string]string{"service": c.Service, "stack": c.Stack} {
		if len(name) > maxName || strings.Trim(name, namesAll) != "" || strings.Trim(name, ".") == "" && name != "" {
			bad(key, "%q is not a valid %s name: letters, digits, '-', '_' and '.'", name, key)
		}
	}
	checkStates(bad, "states", c.States, "running")
	checkStates(bad, "health_states", c.HealthStates, "healthy")
	if c.Wait != 0 && (c.Wait < minWait || c.Wait > maxWait) {
		bad("wait", "%v is not in %v..%v, nor 0 for none", c.Wait, minWait, maxWait)
	}
	if err := checkURL(c.URL); err != nil {
		errs = append(errs, strategy.At("url", err))
	}
	return errors.Join(errs...)
}

// checkStates reports states that no container is ever in.
func checkStates(bad func(key, format string, args ...any), key string, states []string, example string) {
	if len(states) == 0 {
		bad(key, "name at least one, such as %s", example)
	}
	for i, s := range states {
		if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-") != "" {
			bad(fmt.Sprintf("%s[%d]", key, i), "%q is not a state; they are in lower case, such as %s", s, example)
		}
	}
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return err
	case u.Scheme != "http":
		return fmt.Errorf("%q does not begin with http://, and the metadata server speaks nothing else", s)
	case u.Hostname() == "":
		return fmt.Errorf("%q names no host", s)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("want host and path alone, such as http://rancher-metadata/2016-07-29")
	case strings.Trim(u.Path, "/") == "":
		return fmt.Errorf("%q lacks the version of the metadata, as in http://rancher-metadata/2016-07-29", s)
	}
	return nil
}
