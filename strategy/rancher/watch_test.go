package rancher

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/strategy/internal/ranchertest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// slow asks seldom, so that what is known soon is known from the watch.
func slow(s *ranchertest.Server) Config {
	c := cart(s)
	c.Interval, c.Wait = 50*time.Second, 30*time.Second
	return c
}

// asked counts the requests for paths that hold a part.
func asked(s *ranchertest.Server, part string) (n int) {
	for _, r := range s.Requests() {
		if strings.Contains(r, part) {
			n++
		}
	}
	return n
}

func TestAChangeIsKnownWithinASecondOrTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := strategytest.Listen("rancher-metadata")
		s := ranchertest.New(t, pipe)
		s.Put("shop", "cart", ranchertest.Container("c1", "10.0.0.1"))
		sink := follow(t, slow(s), pipe.Dial)
		time.Sleep(5 * time.Minute) // it is no longer young, and waited many times
		for i := range 5 {
			s.Put("shop", "cart", ranchertest.Container("c1", "10.0.0.1"), ranchertest.Container("c2", fmt.Sprintf("10.0.1.%d", i+1)))
			since := time.Now()
			time.Sleep(2*time.Second + 100*time.Millisecond)
			synctest.Wait()
			want := fmt.Sprintf("Set(10.0.0.1:7946 10.0.1.%d:7946)", i+1)
			if got := strategytest.Summary(sink.Since(since)); !strings.Contains(got, want) {
				t.Errorf("2 s after change %d: %q, want %s", i, got, want)
			}
			time.Sleep(17 * time.Second)
		}
		if n := asked(s, "version?maxWait=30&value="); n == 0 {
			t.Errorf("requests %v, want some that wait", s.Requests())
		}
	})
}

func TestAServerThatChangesWithoutEndIsAskedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := strategytest.Listen("rancher-metadata")
		s := ranchertest.New(t, pipe)
		var n atomic.Int64
		s.Fault(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "version") {
				_, _ = fmt.Fprintf(w, `"%d"`, n.Add(1))
				return
			}
			text(200, `{"name":"cart","stack_name":"shop","containers":[]}`)(w, r)
		})
		sink := follow(t, slow(s), pipe.Dial)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if sets := len(sink.Calls()); sets > 660 || sets < 300 {
			t.Errorf("%d lookups in 10 minutes, want about one a second", sets)
		}
		if waits := asked(s, "wait=true"); waits > 660 {
			t.Errorf("%d questions for changes in 10 minutes, want at most about one a second", waits)
		}
	})
}

// TestAServerThatDoesNotWaitIsLeftAlone has servers that do not offer what the watch needs, each in its own way.
func TestAServerThatDoesNotWaitIsLeftAlone(t *testing.T) {
	for name, version := range map[string]http.HandlerFunc{
		"unknown":           ranchertest.NotFound,
		"at once":           text(200, `"7"`),
		"a number":          text(200, `7`),
		"broken":            text(500, ""),
		"null":              text(200, `null`),
		"empty":             text(200, `""`),
		"no JSON":           text(200, `7-a`),
		"long":              text(200, `"`+strings.Repeat("7", 1000)+`"`),
		"an object":         text(200, `{"version": 1}`),
		"without an answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pipe := strategytest.Listen("rancher-metadata")
				s := ranchertest.New(t, pipe)
				s.Fault(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/version") {
						version(w, r)
						return
					}
					text(200, `{"name":"cart","stack_name":"shop","containers":[]}`)(w, r)
				})
				sink := follow(t, slow(s), pipe.Dial)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if got := strategytest.Summary(sink.Calls()); got != "Set()" {
					t.Errorf("calls %s, want the lookups to do without", got)
				}
				if n := asked(s, "/version"); n > 22 || n < 2 {
					t.Errorf("%d questions for changes in 10 minutes, want at most two a minute", n)
				}
			})
		})
	}
}

func TestAQuestionThatIsKeptTooLongIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := strategytest.Listen("rancher-metadata")
		s := ranchertest.New(t, pipe)
		var kept atomic.Int64
		s.Fault(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Query().Get("wait") == "true":
				asked := time.Now()
				<-r.Context().Done()
				kept.Store(max(kept.Load(), int64(time.Since(asked))))
			case strings.HasSuffix(r.URL.Path, "/version"):
				text(200, `"7"`)(w, r)
			default:
				text(200, `{"name":"cart","stack_name":"shop","containers":[]}`)(w, r)
			}
		})
		c := slow(s)
		follow(t, c, pipe.Dial)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got, most := time.Duration(kept.Load()), c.Wait+slack+c.Timeout; got == 0 || got > most {
			t.Errorf("a question was kept for %v, want at most %v", got, most)
		}
	})
}
