package command

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionPrintsWhatIsKnownOfTheBuild(t *testing.T) {
	for _, c := range []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"nothing", debug.BuildInfo{}, "convoke unknown unknown"},
		{"a release", debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}}, "convoke v1.2.3 go1.26.8"},
		{"a checkout with changes", debug.BuildInfo{
			GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}},
		}, "convoke (devel) commit 0123456789ab (modified) go1.26.8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := versionLine(&c.info); got != c.want {
				t.Errorf("version() = %q, want %q", got, c.want)
			}
		})
	}
}

func TestVersionIsACommandAndAFlag(t *testing.T) {
	command, flag := convoke(t, "version"), convoke(t, "--version")
	if command != flag || command.code != exitOK || !strings.HasPrefix(command.stdout, "convoke ") {
		t.Errorf("version = %+v, --version = %+v, want the same line", command, flag)
	}
}
