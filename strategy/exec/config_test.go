package exec

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/strategy"
)

func TestValidateNamesTheKeyOfAMistake(t *testing.T) {
	for _, c := range []struct {
		message string
		change  func(*Config)
	}{
		{"command: name the program", func(c *Config) { c.Command = nil }},
		{"command[0]: name the program", func(c *Config) { c.Command = []string{""} }},
		{"command[0]: \"peers --all\" is not a program", func(c *Config) { c.Command = []string{"peers --all"} }},
		{"command[1]: the argument holds a zero byte", func(c *Config) { c.Command = []string{"peers", "\x00"} }},
		{"dir: the path", func(c *Config) { c.Dir = "\x00" }},
		{`env: "A=B" is not a valid`, func(c *Config) { c.Env = map[string]strategy.Secret{"A=B": ""} }},
		{"env.A: the value", func(c *Config) { c.Env = map[string]strategy.Secret{"A": "\x00"} }},
		{"port: 65536", func(c *Config) { c.Port = 65536 }},
		{"interval: 1ms", func(c *Config) { c.Interval = time.Millisecond }},
	} {
		config := DefaultConfig()
		config.Command = []string{"peers"}
		c.change(&config)
		if err := config.Validate(); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%v, want %q", err, c.message)
		}
		if _, err := Kind.Configure(config); err == nil {
			t.Errorf("Configure takes it: %q", c.message)
		}
	}
}

func TestTheEnvironmentIsThatOfTheConfigurationAndAFewMore(t *testing.T) {
	t.Setenv("DATABASE_PASSWORD", "hunter2")
	t.Setenv("PATH", "/bin")
	t.Setenv("TZ", "UTC")
	env := strategy.Env{Topology: "lab", ClusterID: "orders"}
	got := programEnv(map[string]strategy.Secret{"TZ": "CET", "KEY": "value"}, env)
	for _, want := range []string{"PATH=/bin", "CONVOKE_TOPOLOGY=lab", "CONVOKE_CLUSTER=orders", "KEY=value"} {
		if !slices.Contains(got, want) {
			t.Errorf("%v lacks %q", got, want)
		}
	}
	if strings.Contains(fmt.Sprint(got), "hunter2") {
		t.Errorf("%v has the password of the application", got)
	}
	if slices.Index(got, "TZ=CET") < slices.Index(got, "TZ=UTC") {
		t.Errorf("%v, want the configured TZ to be the last one", got)
	}
}
