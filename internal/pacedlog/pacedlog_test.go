package pacedlog

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// written is what a logger wrote, with the time of each line.
type written struct {
	mu    sync.Mutex
	lines []string
	at    []time.Time
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines, w.at = append(w.lines, strings.TrimSuffix(string(p), "\n")), append(w.at, time.Now())
	return len(p), nil
}

// containing returns the lines that have a text, and when they were written.
func (w *written) containing(text string) (lines []string, at []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, l := range w.lines {
		if strings.Contains(l, text) {
			lines, at = append(lines, l), append(at, w.at[i])
		}
	}
	return lines, at
}

// started returns a log of level INFO that ends with the test, its logger and what is written.
func started(t *testing.T) (*Log, hclog.Logger, *written) {
	w := new(written)
	l := New(hclog.New(&hclog.LoggerOptions{Name: "convoke", Level: hclog.Info, Output: w, DisableTime: true}))
	t.Cleanup(l.Close)
	return l, l.Logger(), w
}

var unloggedPair = regexp.MustCompile(`unlogged=(\d+)`)

// standFor returns how many lines the written ones stand for, themselves included.
func standFor(t *testing.T, lines []string) (n int) {
	for _, l := range lines {
		n++
		if m := unloggedPair.FindStringSubmatch(l); m != nil {
			more, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			n += more
		}
	}
	return n
}

// mostInAnHour returns how many of the times are within one hour at most.
func mostInAnHour(at []time.Time) (most int) {
	for i, from := range at {
		n := 0
		for _, t := range at[i:] {
			if t.Sub(from) < time.Hour {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestAFaultEveryThreeSecondsForTwoHoursMakesFewLinesThatCountAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log, w := started(t)
		const faults = 2 * 60 * 60 / 3
		for i := range faults {
			log.Warn("link lost", "peer", fmt.Sprint("n", i%12))
			log.Info("link made", "peer", fmt.Sprint("n", i%12))
			time.Sleep(3 * time.Second)
		}
		l.Close()
		for _, text := range []string{"link lost", "link made"} {
			lines, at := w.containing(text)
			if n := mostInAnHour(at); n > 26 {
				t.Errorf("%d lines %q in one hour, want at most 26", n, text)
			}
			if n := standFor(t, lines); n != faults {
				t.Errorf("the lines %q stand for %d faults, want %d:\n%s", text, n, faults, strings.Join(lines, "\n"))
			}
		}
	})
}

func TestAnHourAfterALongFaultTheNextOneIsLoggedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, log, w := started(t)
		for range 2400 {
			log.Warn("link lost")
			time.Sleep(3 * time.Second)
		}
		time.Sleep(10 * time.Minute) // what is held is logged by then
		before, _ := w.containing("link lost")
		if n := standFor(t, before); n != 2400 {
			t.Errorf("10 minutes after the last fault the lines stand for %d, want 2400", n)
		}
		time.Sleep(time.Hour)
		for i := range 6 {
			log.Warn("link lost", "number", i)
			synctest.Wait()
			if lines, _ := w.containing(fmt.Sprintf("link lost: number=%d", i)); len(lines) != 1 {
				t.Errorf("line %d after a calm hour is not logged at once", i+1)
			}
		}
	})
}

func TestAKindIsDelayedByNoOtherKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, log, w := started(t)
		for range 600 {
			log.Warn("link lost", "topology", "a")
			time.Sleep(time.Second)
		}
		log.Error("link lost", "topology", "a", "other", "level")
		log.Named("gossip").Warn("link lost", "topology", "a", "other", "name")
		log.With("topology", "b").Warn("link lost", "other", "topology")
		log.Warn("disk full", "other", "message")
		synctest.Wait()
		if lines, _ := w.containing("other="); len(lines) != 4 {
			t.Errorf("logged at once: %q, want all four", lines)
		}
	})
}

func TestALineThatStandsForOthersIsTheNewestWithTheirNumberAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, log, w := started(t)
		for range 6 {
			log.Named("gossip").Warn("stream closed", "addr", "10.0.0.1")
		}
		for i := range 4 {
			log.Named("gossip").Warn("stream closed", "addr", fmt.Sprint("10.0.0.", i), "error", errors.New("late"), "unlogged", 10)
			time.Sleep(2 * time.Second)
		}
		time.Sleep(time.Minute)
		const want = `[WARN]  convoke.gossip: stream closed: addr=10.0.0.3 error=late unlogged=43 within=10s`
		if lines, _ := w.containing("error=late"); len(lines) != 1 || lines[0] != want {
			t.Errorf("logged %q, want %q", lines, want)
		}
	})
}

func TestWhatIsHeldIsLoggedInTheOrderInWhichItCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log, w := started(t)
		for range 20 {
			log.Info("a")
			log.Info("b")
		}
		time.Sleep(time.Second)
		log.Info("a", "last", true)
		l.Close()
		n := len(w.lines)
		if want := []string{"[INFO]  convoke: b: unlogged=13", "[INFO]  convoke: a: last=true unlogged=14"}; strings.Join(w.lines[n-2:], "\n") != strings.Join(want, "\n") {
			t.Errorf("the last lines are %q, want %q", w.lines[n-2:], want)
		}
	})
}

func TestLinesOfLevelDebugAllCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(written)
		l := New(hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: w, DisableTime: true}))
		for range 100 {
			l.Logger().Debug("round")
			l.Logger().Trace("packet")
			if !l.Logger().IsDebug() || l.Logger().IsTrace() {
				t.Fatal("the logger has another level than the one behind it")
			}
		}
		l.Close()
		if len(w.lines) != 100 {
			t.Errorf("%d lines, want the 100 of level DEBUG", len(w.lines))
		}
		l.Logger().Info("after the end")
		synctest.Wait()
		if lines, _ := w.containing("after the end"); len(lines) != 1 {
			t.Error("a line after Close is not logged")
		}
	})
}

// blocked is a log writer that hangs until it is released.
type blocked struct {
	written
	release chan struct{}
}

func (b *blocked) Write(p []byte) (int, error) {
	<-b.release
	return b.written.Write(p)
}

func TestAWriterThatHangsStopsNoCallerAndBoundsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &blocked{release: make(chan struct{})}
		l := New(hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: w, DisableTime: true}))
		began := time.Now()
		l.Logger().Info("first")
		synctest.Wait()   // the writer hangs in it
		const most = 1024 // lines in the queue
		for range 3 * most {
			l.Logger().Debug("more")
		}
		l.Close()
		if took := time.Since(began); took > closeAfter {
			t.Errorf("the calls took %v, want at most the %v of Close", took, closeAfter)
		}
		close(w.release)
		synctest.Wait()
		if lines, _ := w.containing("too slow: lines=2048"); len(lines) != 1 || len(w.lines) != most+2 {
			t.Errorf("%d lines, with %q; want %d and one with the number of the others", len(w.lines), lines, most+1)
		}
	})
}

func TestKindsBeyondTheBoundCountAsOneUntilOthersAreCalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log, w := started(t)
		const texts = 3 * maxKinds
		for i := range texts {
			log.Warn(fmt.Sprint("text ", i))
			if i%100 == 0 {
				synctest.Wait() // the writer keeps up
			}
		}
		time.Sleep(11 * time.Second)
		lines, _ := w.containing("text ")
		if len(lines) > maxKinds+burst+2 || standFor(t, lines) != texts {
			t.Errorf("%d lines for %d, want at most %d for %d", len(lines), standFor(t, lines), maxKinds+burst+2, texts)
		}
		time.Sleep(time.Hour)
		log.Warn("another text")
		synctest.Wait()
		if n := len(l.kinds.known); n > 2 {
			t.Errorf("%d kinds are known after a calm hour, want the new one", n)
		}
	})
}
