package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
)

// reloading is a connector that takes other keys over.
type reloading struct {
	able
	err     error
	got     []connector.NodeConfig
	notices chan connector.Notice
}

func (r *reloading) Reload(n connector.NodeConfig) ([]connector.Setting, error) {
	r.got = append(r.got, n)
	return []connector.Setting{connector.SettingKeys}, r.err
}

func (r *reloading) Notices() <-chan connector.Notice { return r.notices }

// withNode parses a file whose section node has these further lines.
func withNode(t *testing.T, lines string) *cluster.Config {
	t.Helper()
	options := loadOptions(t)
	honours := connector.Kind{Name: "able", Check: func(connector.NodeConfig) error { return nil }}
	connectors, err := connector.NewRegistry(honours)
	if err != nil {
		t.Fatal(err)
	}
	options.Connectors = connectors
	text := "cluster: x\nnode:\n  name: n\n" + lines + "topologies: {a: {strategy: static, config: {hosts: [a:1]}}}\n"
	c, err := cluster.Parse("f", []byte(text), options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	oneKey   = "  keys: [AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]\n"
	otherKey = "  keys: [AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=]\n"
)

func TestAReloadPassesTheNodeToTheConnectorAndNamesWhatWaits(t *testing.T) {
	first := withNode(t, oneKey)
	c := &reloading{able: able{connectortest.NewMesh(), first.Node}}
	var log strings.Builder
	s, err := cluster.New(first, cluster.WithConnector("able", c), cluster.WithLogger(hclog.New(&hclog.LoggerOptions{Output: &log})))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{oneKey, otherKey, otherKey + "  zone: east\n", otherKey + "  zone: east\n"} {
		if err := s.Apply(withNode(t, other)); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.got) != 4 || c.got[1].Keys[0] == c.got[0].Keys[0] {
		t.Errorf("the connector got %d nodes, want one for each reload", len(c.got))
	}
	c.err = errors.New("no such key")
	if err := s.Apply(withNode(t, oneKey)); err == nil || !strings.Contains(err.Error(), "no such key") {
		t.Errorf("Apply = %v, want the error of the connector", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Run(ended) // writes what was logged
	if n := strings.Count(log.String(), "take effect at the next start: settings=node.zone"); n != 2 || strings.Contains(log.String(), "node.keys") {
		t.Errorf("the log names the zone %d times, want twice, and no other setting:\n%s", n, log.String())
	}
}

func TestNoticesOfAConnectorAreEvents(t *testing.T) {
	first := withNode(t, oneKey)
	c := &reloading{able: able{connectortest.NewMesh(), first.Node}, notices: make(chan connector.Notice, 1)}
	s, err := cluster.New(first, cluster.WithConnector("able", c))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := s.Events(ctx)
	c.notices <- connector.Notice{Kind: connector.NoticeNameConflict, Err: errors.New("taken")}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	for e := range events {
		if e.Kind == cluster.EventNameConflict {
			if e.Connector != "able" || e.Err == nil || e.At.IsZero() {
				t.Errorf("event %+v", e)
			}
			cancel()
		}
	}
	<-done
}
