package cluster_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector/connectortest"
)

func TestReloadReturnsWhatIsWrongWithTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "topology.yaml")
	put := func(topology string) {
		t.Helper()
		text := "cluster: x\nnode: {name: n}\ntopologies: {" + topology + ": {strategy: static, config: {hosts: [a:1]}}}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	c, err := cluster.Load(path, loadOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := cluster.New(c, cluster.WithConnector("mesh", connectortest.NewMesh()), cluster.WithReload())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("Reload before Run = %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for range s.Watch(ctx) {
		if s.Live() == nil {
			break
		}
	}
	put("two")
	if err := s.Reload(ctx); err != nil || s.Status().Topologies[0].Name != "two" {
		t.Errorf("Reload = %v, the topology is %s", err, s.Status().Topologies[0].Name)
	}
	put("[")
	if err := s.Reload(ctx); err == nil || !strings.Contains(err.Error(), path+":") || s.Status().Topologies[0].Name != "two" {
		t.Errorf("Reload of a file with mistakes = %v, want its place", err)
	}
	cancel()
	<-ended
	if err := s.Reload(t.Context()); err == nil {
		t.Error("Reload after the end of Run = nil")
	}
}
