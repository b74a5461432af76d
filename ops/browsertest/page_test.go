package browsertest

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/goconvoke/convoke/ops"
)

func TestThePageFollowsEventsWithoutAReload(t *testing.T) {
	s := newStage(t, 3)
	b := open(t, s.server.URL)
	b.await("pods: ✓ whole. all 3 nodes are together")
	b.await("live")
	eval[int](b, `window.mark = 1`)
	next := time.Now().Add(8 * time.Second)
	s.change(func() {
		p := &s.document.Topologies[0]
		p.Whole, p.Why = false, "2 of 3 nodes are together; n002 is down since 14:02:06"
		p.Peers = []ops.Peer{{Addr: "127.0.0.1:7948", ID: "n002", Wanted: true, Attempts: 3, Error: "dial tcp 127.0.0.1:7948: connect: connection refused", Next: &next}}
		s.members[2].Status = "down"
		s.events = append(s.events, ops.Event{At: time.Now(), Kind: "disconnected", Topology: "pods", Peer: "n002@127.0.0.1:7948"})
	})
	b.await("n002 is down since 14:02:06")
	b.await("connection refused")
	b.await("✗ down")
	if eval[int](b, `window.mark || 0`) != 1 {
		t.Error("the page was loaded anew")
	}
	b.keep("refused")
	b.wantNoProblems()
}

func TestEachStateOfANodeIsShownInWords(t *testing.T) {
	for name, c := range map[string]struct {
		nodes  int
		change func(*stage)
		want   []string
	}{
		"alone": {1, func(s *stage) {
			s.document.Topologies[0].Formed, s.document.Topologies[0].Whole, s.document.Topologies[0].Why = false, false, "1 of 3 nodes are together; none was found"
		}, []string{"pods: … forming", "none was found", "None: every peer that was found is connected."}},
		"foreign": {2, func(s *stage) {
			s.document.Topologies[0].Peers = []ops.Peer{{Addr: "10.0.0.7:7946", Wanted: true, Foreign: true, Error: "it belongs to the cluster billing", Attempts: 1}}
		}, []string{"foreign: another cluster, or other keys or certificates.", "it belongs to the cluster billing"}},
		"stale": {2, func(s *stage) {
			t := &s.document.Topologies[0]
			t.Stale, t.Answers.Complete.Age, t.Answers.Error = true, 4000, "lookup orders: i/o timeout"
		}, []string{"1 h 6 m ago", "(stale)", "i/o timeout"}},
		"conflict": {2, func(s *stage) {
			s.document.Node.State, s.document.Node.Problem = ops.StateNameConflict, "another process at 10.0.0.9:7946 has the name n000"
		}, []string{"name conflict", "another process at 10.0.0.9:7946"}},
		"large": {300, func(*stage) {}, []string{"200 of 300.", "more are not drawn"}},
		"quorum": {3, func(s *stage) {
			s.document.Quorum = &ops.QuorumStatus{Role: "voter", Why: "1 of 3 voters can be reached", Wanted: 3, Voters: []ops.Voter{{Name: "n000"}, {Name: "n001", Leaving: true}}}
			s.document.Groups = []ops.Group{{Name: "orders", Level: "exclusive", Shards: 12, Members: 3, Vacant: 4, Here: 4}}
		}, []string{"1 of 3 voters can be reached", "n001 (is replaced)", "exclusive"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, c.nodes)
			c.change(s)
			b := open(t, s.server.URL)
			for _, want := range c.want {
				b.await(want)
			}
			b.keep(name)
			b.wantNoProblems()
		})
	}
}

func TestAMemberNamedAsMarkupIsText(t *testing.T) {
	s := newStage(t, 3)
	s.members[1].Name = "<script>document.title='taken'</script>"
	b := open(t, s.server.URL)
	b.await("<script>document.title='taken'</script>")
	if title := result(b, chromedp.Title()); title != "n000 · orders" {
		t.Errorf("title %q", title)
	}
	b.wantNoProblems()
}

func TestThePageIsWholeWithoutJavaScript(t *testing.T) {
	s := newStage(t, 3)
	b := open(t, s.server.URL, scripts(false))
	b.do(scripts(true)) // the tools of the test need it, the page was loaded without
	b.await("all 3 nodes are together")
	b.await("n002")
}

func TestThePageFitsA320PixelScreen(t *testing.T) {
	s := newStage(t, 12)
	s.document.Topologies[0].Why = strings.Repeat("a-very-long-name-of-a-host-without-any-space", 4)
	b := open(t, s.server.URL, chromedp.EmulateViewport(320, 640))
	b.await("pods")
	if width := eval[int](b, `document.documentElement.scrollWidth`); width > 320 {
		t.Errorf("the page is %d pixels wide", width)
	}
	b.keep("narrow")
}

func TestEverythingIsReachedByKeyboard(t *testing.T) {
	s := newStage(t, 300)
	b := open(t, s.server.URL)
	b.await("live")
	reached := map[string]bool{}
	for range 20 {
		b.do(chromedp.KeyEvent(kb.Tab))
		reached[eval[string](b, `document.activeElement && (document.activeElement.getAttribute("aria-label") || document.activeElement.innerText || "")`)] = true
	}
	for _, want := range []string{"Skip to the content", "Table: Topologies", "Table: Members", "The next", "The same as a table", "Ask all members whether they have the same"} {
		if !reached[want] {
			t.Errorf("the key Tab does not reach %q: %v", want, reached)
		}
	}
	b.on("members-next", "focus")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.await("100 of 300.")
}

func TestAFocusAndAnOpenTableSurviveAnUpdate(t *testing.T) {
	s := newStage(t, 3)
	b := open(t, s.server.URL)
	b.await("live")
	eval[bool](b, `document.getElementById("overlay-table").open = true`)
	b.on("agreement", "focus")
	s.change(func() { s.members[1].Version = "9.9.9" })
	b.await("9.9.9")
	if !eval[bool](b, `document.activeElement.id == "agreement" && document.getElementById("overlay-table").open`) {
		t.Error("the update took the focus away, or closed the table")
	}
}

func TestALostConnectionIsShownAndEndsByItself(t *testing.T) {
	s := newStage(t, 3)
	b := open(t, s.server.URL)
	b.await("live")
	addr := s.server.Listener.Addr().String()
	handler := s.server.Config.Handler
	s.stop()
	b.await("connection lost, trying again")
	s.server = serveAgain(t, addr, handler)
	b.await("live")
}

func TestTheAgreementIsAskedForByItsLink(t *testing.T) {
	s := newStage(t, 3)
	b := open(t, s.server.URL)
	b.await("Ask all members")
	b.on("agreement", "click")
	b.await("No answer")
	b.wantNoProblems()
}
