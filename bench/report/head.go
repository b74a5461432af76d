package report

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Head is what a reader needs to judge and repeat a report.
type Head struct {
	Command string
	Runs    int
	Updates int
	Seed    uint64
	Limit   time.Duration
	Environment
}

// Environment is what the bench runs on and with.
type Environment struct {
	Commit, CPU, Go string
	Versions        []string
}

// Here describes this process and its machine, as far as that is known.
func Here() Environment {
	e := Environment{Commit: commit(), CPU: cpu(), Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			switch d.Path {
			case "github.com/hashicorp/memberlist", "github.com/hashicorp/serf", "github.com/hashicorp/raft":
				e.Versions = append(e.Versions, d.Path+" "+d.Version)
			}
		}
	}
	return e
}

// commit asks git, because "go run" leaves the commit out of a binary.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func cpu() string {
	model := runtime.GOARCH
	b, _ := os.ReadFile("/proc/cpuinfo") // Linux
	for line := range strings.Lines(string(b)) {
		if name, found := strings.CutPrefix(line, "model name"); found {
			model = strings.TrimSpace(strings.TrimLeft(name, "\t :"))
			break
		}
	}
	return fmt.Sprintf("%s, %d threads", model, runtime.NumCPU())
}

func (h Head) write(w io.Writer) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p("- Command: `%s`\n", strings.TrimSpace(h.Command))
	p("- Commit of convoke: %s; %s; %s\n", h.Commit, strings.Join(h.Versions, "; "), h.Go)
	p("- Machine: %s\n", h.CPU)
}
