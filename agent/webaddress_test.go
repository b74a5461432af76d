package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/ops"
)

// startKept starts a node that keeps its keys, with this section http, "" for none.
func (s site) startKept(name, http string) *agent.Node {
	s.t.Helper()
	text := fmt.Sprintf("cluster: lab\nnode: {name: %s, listen: \"127.0.0.1:0\", data_dir: %s}\ntopologies: {here: {strategy: local, expect: 2, config: {dir: %s}}}\n",
		name, filepath.Join(s.dir, name+".data"), filepath.Join(s.dir, "meet"))
	if http != "" {
		text += "http: " + http + "\n"
	}
	path := filepath.Join(s.dir, name+".yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	n, err := agent.Start(s.t.Context(), path, s.options(name))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(n.Stop)
	return n
}

func TestMembersKnowWhereThePageOfAnotherIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.startKept("a", "{listen: \"127.0.0.1:0\"}"), s.startKept("b", "")
	formed(t, a, b)
	page := func(n *agent.Node, of string) string {
		m, err := n.API().Member(t.Context(), of)
		if err != nil {
			return err.Error()
		}
		return m.HTTP
	}
	eventually(t, func() (bool, any) {
		got := page(b, "a")
		return got != "" && got == "http://"+a.HTTP()+"/", got
	})
	if got := page(a, "b"); got != "" {
		t.Errorf("b serves on no port, and its page is %q", got)
	}
	a.Stop()
	a = s.startKept("a", "{listen: \"unix:"+filepath.Join(s.dir, "http.sock")+"\"}")
	formed(t, a)
	eventually(t, func() (bool, any) {
		_, known := b.Gossip().Get("a", ops.KeyHTTP)
		return !known && page(b, "a") == "", page(b, "a")
	})
}
