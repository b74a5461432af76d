package hostsfile_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/hostsfile"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// follow runs the strategy on a file until the test ends.
func follow(t *testing.T, c hostsfile.Config) *strategytest.Sink {
	t.Helper()
	st := strategytest.New(t, hostsfile.Kind, c, strategy.Env{})
	ctx, cancel := context.WithCancel(context.Background())
	sink := new(strategytest.Sink)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = st.Run(ctx, sink) // it ends with the context
	}()
	t.Cleanup(func() { cancel(); <-done })
	return sink
}

func config(path string) hostsfile.Config {
	c := hostsfile.DefaultConfig()
	c.Path = path
	return c
}

// sees waits for the next calls: a Set of these addresses, or a Fail when there are none.
func sees(t *testing.T, sink *strategytest.Sink, within time.Duration, want string) {
	t.Helper()
	time.Sleep(within)
	synctest.Wait()
	calls := sink.Calls()
	if got := calls[len(calls)-1].String(); !strings.Contains(got, want) {
		t.Errorf("last call %s, want %s", got, want)
	}
}

const soon = 2500 * time.Millisecond // the interval with its jitter

func TestAFileThatAppearsIsReadWithinTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "hosts")
		sink := follow(t, config(path))
		sees(t, sink, 10*time.Minute, "Fail(read the hosts file: "+path)
		replace(t, path, "10.0.0.1:1\n")
		sees(t, sink, soon, "Set(10.0.0.1:1)")
		remove(t, path)
		sees(t, sink, soon, "Fail(")
		replace(t, path, "10.0.0.2:1\n")
		sees(t, sink, soon, "Set(10.0.0.2:1)")
	})
}

// changes are ways to turn the file with 10.0.0.1:1 into one with 10.0.0.2:1.
func changes(old time.Time) map[string]func(t *testing.T, dir string) {
	return map[string]func(t *testing.T, dir string){
		"written in place": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "hosts"), []byte("10.0.0.2:1\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"renamed over, same size, same time": func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "hosts"), "10.0.0.2:1\n")
			if err := os.Chtimes(filepath.Join(dir, "hosts"), old, old); err != nil {
				t.Fatal(err)
			}
		},
		"directory swapped behind a link, as a ConfigMap is": func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "v2", "hosts"), "10.0.0.2:1\n")
			if err := os.Symlink("v2", filepath.Join(dir, "data.new")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "data.new"), filepath.Join(dir, "data")); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestEveryWayOfChangingAFileIsSeen(t *testing.T) {
	old := time.Now().Add(-time.Hour) // a file that has settled
	for name, change := range changes(old) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				for _, sub := range []string{"v1", "v2"} {
					if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
						t.Fatal(err)
					}
				}
				path := filepath.Join(dir, "hosts")
				if strings.Contains(name, "ConfigMap") {
					path = filepath.Join(dir, "data", "hosts")
					if err := os.Symlink("v1", filepath.Join(dir, "data")); err != nil {
						t.Fatal(err)
					}
				}
				replace(t, path, "10.0.0.1:1\n")
				if err := os.Chtimes(path, old, old); err != nil {
					t.Fatal(err)
				}
				sink := follow(t, config(path))
				sees(t, sink, soon, "Set(10.0.0.1:1)")
				change(t, dir)
				sees(t, sink, soon, "Set(10.0.0.2:1)")
			})
		})
	}
}

func TestABadLineSpoilsTheWholeAndTheLastSetStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "hosts")
		replace(t, path, "10.0.0.1:1\n")
		sink := follow(t, config(path))
		sees(t, sink, soon, "Set(10.0.0.1:1)")
		replace(t, path, "10.0.0.2:1\n10.0.0.3\n")
		since := time.Now()
		sees(t, sink, 5*time.Minute, "Fail("+path+":2: ")
		if got := strategytest.Summary(sink.Since(since.Add(soon))); got != "Fail" {
			t.Errorf("calls %s, want nothing but Fail", got)
		}
	})
}

func TestWhatIsNoReadableFileIsAFail(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"directory": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
		"device": {func(t *testing.T, path string) {
			if err := os.Symlink(os.DevNull, path); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
		"dangling link": {func(t *testing.T, path string) {
			if err := os.Symlink("nowhere", path); err != nil {
				t.Fatal(err)
			}
		}, "no such file"},
		"too large": {func(t *testing.T, path string) {
			replace(t, path, "")
			if err := os.Truncate(path, 16<<20+1); err != nil {
				t.Fatal(err)
			}
		}, "larger than 16777216 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "hosts")
				tc.make(t, path)
				sink := follow(t, config(path))
				sees(t, sink, 0, tc.want)
			})
		})
	}
}

func TestTheDefaultPortIsForLinesWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "hosts")
		replace(t, path, "'db.test'.\n10.0.0.1:5\n")
		c := config(path)
		c.Port = 7946
		sink := follow(t, c)
		sees(t, sink, 0, "Set(10.0.0.1:5 db.test:7946)")
		if p := sink.Calls()[0].Peers; !slices.Contains(p, peer.Peer{Addr: "db.test:7946"}) {
			t.Errorf("peers %v, want the name as it is", p)
		}
	})
}

func TestConfigurationMistakes(t *testing.T) {
	for name, tc := range map[string]struct {
		config hostsfile.Config
		want   []string
	}{
		"everything": {hostsfile.Config{Port: -1}, []string{"path", "port", "interval", "timeout"}},
		"port":       {hostsfile.Config{Path: "h", Port: 65536, PollConfig: strategy.DefaultPoll()}, []string{"65536"}},
	} {
		_, err := hostsfile.Kind.Configure(tc.config)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, part := range tc.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q lacks %q", name, err, part)
			}
		}
	}
}
