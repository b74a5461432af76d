package command

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/connector/gossip"
)

// result is what one command line gave.
type result struct {
	code           int
	stdout, stderr string
}

// convoke runs one command line in this process.
func convoke(t *testing.T, args ...string) result {
	t.Helper()
	return convokeContext(t, t.Context(), args...)
}

func convokeContext(t *testing.T, ctx context.Context, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(ctx, args, &stdout, &stderr, "convoke", gossip.Kind)
	return result{code, stdout.String(), stderr.String()}
}

// write puts a file into a fresh directory and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsageErrorsExitWith2AndSayWhatIsWanted(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no command", nil, "a command is missing"},
		{"an unknown command", []string{"chek"}, `unknown command "chek"; did you mean "check"?`},
		{"nothing like a command", []string{"zzzzzzzz"}, "want addrs, agent, check, "},
		{"an unknown flag", []string{"explain", "--fast"}, "unknown flag: --fast"},
		{"check without a file", []string{"check"}, "0 arguments given, want: convoke check FILE...|-\n(run \"convoke check --help\""},
		{"explain without a file", []string{"explain"}, "no configuration file: add -c FILE"},
		{"agent without a file", []string{"agent"}, "no configuration file: add -c FILE"},
		{"a format that does not exist", []string{"explain", "-o", "xml"}, "want text, wide or json"},
		{"keys without a command", []string{"keys"}, "a command is missing: delete, get, list, set or watch"},
		{"a command of keys that does not exist", []string{"keys", "gett"}, `unknown command "gett"; did you mean "get"?`},
		{"members within no time", []string{"members", "-c", "x", "--timeout", "0s"}, "--timeout 0s is not above 0"},
		{"join without an address", []string{"join", "-c", "x"}, "0 arguments given, want: convoke join -c FILE ADDR..."},
		{"join of what is no address", []string{"join", "-c", "x", "10.0.0.7"}, `address "10.0.0.7": want host:port`},
		{"a status of something", []string{"status", "x"}, "1 argument given, want: convoke status [-c FILE]"},
		{"a key without a name", []string{"keys", "set", "-c", "x", "", "v"}, "the key is empty"},
		{"a TTL below the least", []string{"shared", "set", "-c", "x", "k", "v", "--ttl", "1us"}, "--ttl 1µs: want 1ms at least"},
		{"update that expects nothing", []string{"shared", "update", "-c", "x", "k", "v"}, "add either --expect OLD or --absent"},
		{"update that expects two things", []string{"shared", "update", "-c", "x", "k", "v", "--expect", "a", "--absent"}, "add either --expect OLD or --absent"},
		{"two topologies", []string{"addrs", "-c", "x", "a", "b"}, "2 arguments given, want: convoke addrs -c FILE [TOPOLOGY]"},
		{"a timeout of nothing", []string{"addrs", "-c", "x", "--timeout", "0s"}, "--timeout 0s is not above 0"},
		{"a log level that does not exist", []string{"agent", "-c", "x", "--log-level", "loud"}, `--log-level "loud"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := convoke(t, c.args...)
			if got.code != exitUsage || !strings.Contains(got.stderr, c.want) || got.stdout != "" {
				t.Errorf("convoke %v = %+v, want exit code 2, %q on stderr and nothing on stdout", c.args, got, c.want)
			}
		})
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	got := convoke(t, "--help")
	if got.code != exitOK {
		t.Fatalf("exit code %d, want 0", got.code)
	}
	for _, name := range []string{"agent", "check", "addrs", "explain", "listen", "version",
		"members", "status", "keys", "shared", "join", "leave", "remove", "completion"} {
		if !strings.Contains(got.stdout, "\n  "+name+" ") {
			t.Errorf("the help lacks %q:\n%s", name, got.stdout)
		}
	}
}

func TestVersionPrintsOneLine(t *testing.T) {
	got := convoke(t, "version")
	if got.code != exitOK || !strings.HasPrefix(got.stdout, "convoke ") || strings.Count(got.stdout, "\n") != 1 {
		t.Errorf("version = %+v, want one line that starts with convoke", got)
	}
}
