package browsertest

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe returns axe-core, the checker of accessibility, from the file that AXE names. Without it the test is skipped, or fails with
// REQUIRE_LABS=1.
func axe(t *testing.T) string {
	t.Helper()
	path := os.Getenv("AXE")
	if path == "" && os.Getenv("REQUIRE_LABS") != "1" {
		t.Skip("AXE does not name axe.min.js of the npm package axe-core")
	}
	script, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// violations runs all rules of axe-core on the page and returns those that it breaks, and how many it keeps.
func (b *tab) violations(script string) (broken []string, passed int) {
	b.t.Helper()
	type found struct {
		Broken []string
		Passed int
	}
	eval[int](b, script+";0")
	all := eval[found](b, `axe.run().then(r => ({Broken: r.violations.map(v => v.id + ": " + v.help + " " + v.nodes.map(n => n.html).join(" ")), Passed: r.passes.length}))`,
		chromedp.EvalAwaitPromise)
	return all.Broken, all.Passed
}

func TestThePageIsAccessibleInBothColourSchemes(t *testing.T) {
	script := axe(t)
	for _, colours := range []string{"light", "dark"} {
		t.Run(colours, func(t *testing.T) {
			s := newStage(t, 12)
			s.members[3].Status, s.members[4].Status, s.members[5].Status = "down", "degraded", "left"
			s.document.Topologies[0].Whole = false
			b := open(t, s.server.URL, scheme(colours))
			b.await("live")
			broken, passed := b.violations(script)
			for _, v := range broken {
				t.Error(v)
			}
			if passed < 20 {
				t.Errorf("only %d rules applied", passed)
			}
			b.keep(colours)
		})
	}
}

func TestTheCheckOfAccessibilityFindsWhatIsBroken(t *testing.T) {
	script := axe(t)
	b := open(t, newStage(t, 3).server.URL)
	b.await("live")
	eval[int](b, `document.documentElement.removeAttribute("lang"); document.querySelector("svg").removeAttribute("aria-label"); 0`)
	if broken, _ := b.violations(script); len(broken) < 2 {
		t.Errorf("two faults were made, found: %q", broken)
	}
}
