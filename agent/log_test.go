package agent_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/strategy"
)

// talker is a strategy that logs the same line all the time.
type talker struct{ env strategy.Env }

const talkerLines = 1000

func (s talker) Run(ctx context.Context, sink strategy.Sink) error {
	for i := range talkerLines {
		s.env.Log.Debug("round", "number", i)
		s.env.Log.Warn("the source is slow", "number", i)
	}
	sink.Set(nil)
	<-ctx.Done()
	return ctx.Err()
}

var talkerKind = strategy.Kind[struct{}]{
	Name: "talker", Doc: "logs", New: func(_ struct{}, env strategy.Env) (strategy.Strategy, error) { return talker{env}, nil },
}

func TestLinesOfOneKindFromAnyPartAreFewAndTheLastCountsTheOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options("a")
	var err error
	if o.Strategies, err = strategy.NewRegistry(talkerKind); err != nil {
		t.Fatal(err)
	}
	o.Log = hclog.New(&hclog.LoggerOptions{Name: "shop", Output: s.log, Level: hclog.Info})
	path := s.write("a", "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, _, _ := strings.Cut(string(text), "topologies:")
	if err := os.WriteFile(path, []byte(file+"topologies: {here: {strategy: talker}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := agent.Start(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	formed(t, n)
	n.Stop()
	const line = "[WARN]  shop.strategy: the source is slow: strategy=talker topology=here "
	lines := strings.Count(s.log.String(), line)
	if last := line + fmt.Sprintf("number=%d unlogged=%d", talkerLines-1, talkerLines-7); lines != 7 || !strings.Contains(s.log.String(), last) {
		t.Errorf("%d lines of %d, want 7, and the last to be %q:\n%s", lines, talkerLines, last, s.log)
	}
}
