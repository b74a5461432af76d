package browsertest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long the page may take to show what is waited for, on a busy machine.
const patience = 20 * time.Second

// browser starts the browser of the machine, one for each test. Without one the test is skipped, or fails with REQUIRE_LABS=1.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium-headless-shell")
	if err != nil {
		if os.Getenv("REQUIRE_LABS") == "1" {
			t.Fatal(err)
		}
		t.Skip("no chromium-headless-shell: apt-get install chromium-headless-shell")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // ends the browser, and waits for it
		cancel()
		cancelAllocator()
	})
	return ctx
}

// tab is one page in the browser, and all that went wrong in it.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex // guards problems
	problems []string   // what the console, the policy and the network complained of
}

// step is an action without a result.
type step = chromedp.Action[chromedp.Void]

// open opens a page, after some steps such as the choice of a colour scheme.
func open(t *testing.T, url string, before ...step) *tab {
	t.Helper()
	b := &tab{t: t, ctx: browser(t)}
	if err := chromedp.Listen(b.ctx, b.record); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, log.Enable, cdp.Empty{})
		return err
	}))
	b.do(append(before, chromedp.Navigate(url))...)
	return b
}

// record keeps what an event of the browser complains of.
func (b *tab) record(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *log.EventEntryAdded:
		b.problems = append(b.problems, string(ev.Entry.Source)+": "+ev.Entry.Text)
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, ev.ExceptionDetails.Text)
	}
}

func (b *tab) do(steps ...step) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// result runs an action and returns what it gives.
func result[T any](b *tab, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// eval evaluates JavaScript in the page.
func eval[T any](b *tab, script string, options ...chromedp.EvaluateOption) T {
	b.t.Helper()
	return result(b, chromedp.Evaluate[T](script, options...))
}

// text returns the text that a user sees, "" while the browser goes to another page.
func (b *tab) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	if err != nil {
		return ""
	}
	return text
}

// on clicks or focuses an element, in one go: between finding it and acting on it an update could replace it. A click comes a moment later, since
// the page that it leads to would take the result away.
func (b *tab) on(id, verb string) {
	b.t.Helper()
	script := `document.getElementById("` + id + `").` + verb + `()`
	if verb == "click" {
		script = `setTimeout(() => ` + script + `, 10)`
	}
	eval[int](b, script+"; 0")
}

// await waits until the page shows a text.
func (b *tab) await(want string) {
	b.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(b.text(), want); {
		if time.Now().After(end) {
			b.t.Fatalf("the page does not show %q:\n%s", want, b.text())
		}
		b.do(chromedp.Sleep(20 * time.Millisecond))
	}
}

// wantNoProblems fails if the browser complained of anything, such as a breach of the content security policy.
func (b *tab) wantNoProblems() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Error("the browser reports:", p)
	}
}

// keep writes what the page looks like into the folder SCREENSHOTS, if that is set.
func (b *tab) keep(name string) {
	b.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	png := result(b, chromedp.FullScreenshot(100))
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)); err != nil {
		b.t.Fatal(err)
	}
}

// scheme has the browser prefer light or dark.
func scheme(name string) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// scripts allows the page to run scripts, or forbids it.
func scripts(allowed bool) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !allowed})
		return err
	})
}
