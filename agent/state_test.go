package agent_test

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/ops"
)

func TestANodeWhoseNameIsTakenReportsThatAndIsNotReady(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	older, other := s.start("a", 2), s.start("b", 2)
	formed(t, older, other)
	o := s.options("a")
	o.Socket = filepath.Join(s.dir, "newer")
	newer, err := agent.Start(t.Context(), s.write("a", ", expect: 2"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(newer.Stop)
	eventually(t, func() (bool, any) {
		d := ask[ops.Document](t, older, http.MethodGet, "status", nil)
		return d.Node.State == ops.StateNameConflict && d.Node.Problem != "" && len(d.Members) == 0, d.Node
	})
	eventually(t, func() (bool, any) {
		code, text := probeHandler(older, "/readyz")
		return code == http.StatusServiceUnavailable, text
	})
	if code, _ := probeHandler(older, "/livez"); code != http.StatusOK {
		t.Errorf("livez = %d, want 200", code)
	}
}
