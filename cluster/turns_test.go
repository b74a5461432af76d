package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
)

// timedLog is what a reporter wrote, with the time of each line.
type timedLog struct {
	lines []string
	at    []time.Time
}

func (l *timedLog) Write(p []byte) (int, error) {
	l.lines, l.at = append(l.lines, string(bytes.TrimSpace(p))), append(l.at, time.Now())
	return len(p), nil
}

// mostInAnHour returns how many lines with a text are within one hour at most.
func (l *timedLog) mostInAnHour(text string) (most int) {
	for i, from := range l.at {
		n := 0
		for j, at := range l.at[i:] {
			if at.Sub(from) < time.Hour && strings.Contains(l.lines[i+j], text) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// sum returns the sum of a number over the lines with a text, which have it as a pair; without counts as least.
func (l *timedLog) sum(t *testing.T, text, pair string, least int) (sum int) {
	number := regexp.MustCompile(` ` + pair + `=(\d+)`)
	for _, line := range l.lines {
		if !strings.Contains(line, text) {
			continue
		}
		n := least
		if m := number.FindStringSubmatch(line); m != nil {
			var err error
			if n, err = strconv.Atoi(m[1]); err != nil {
				t.Fatal(err)
			}
		}
		sum += n
	}
	return sum
}

// reported runs a reporter for what a test does, and returns what was logged, all that waited included.
func reported(do func(r *reporter)) *timedLog {
	log := new(timedLog)
	var r reporter
	r.init(hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: log, DisableTime: true}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx)
	}()
	do(&r)
	cancel()
	<-done
	return log
}

func TestATopologyThatFlapsForTwoHoursMakesFewLinesAndTheLastOneIsOfNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const faults = 2 * 60 * 60 / 3
		log := reported(func(r *reporter) {
			for range faults {
				r.turn("topology lan", hclog.Info, "topology is not whole any longer", "topology", "lan")
				time.Sleep(time.Second)
				r.turn("topology lan", hclog.Info, "topology is whole again", "topology", "lan")
				time.Sleep(2 * time.Second)
			}
		})
		if n := log.mostInAnHour("topology is"); n > 26 {
			t.Errorf("%d lines in one hour, want at most 26", n)
		}
		if n := log.sum(t, "topology is", "unlogged", 0) + len(log.lines); n != 2*faults {
			t.Errorf("the lines stand for %d changes, want %d", n, 2*faults)
		}
		if last := log.lines[len(log.lines)-1]; !strings.Contains(last, "is whole again") {
			t.Errorf("the last line is %q, want the one of now", last)
		}
	})
}

func TestTheFirstFaultsAndTheirEndsAreLoggedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		log := reported(func(r *reporter) {
			for _, text := range []string{"not whole", "whole", "not whole", "whole"} {
				r.turn("topology lan", hclog.Info, text)
				r.turn("topology wan", hclog.Info, text)
				time.Sleep(time.Second)
			}
		})
		if len(log.lines) != 8 || log.at[7].Sub(began) >= 4*time.Second || strings.Contains(strings.Join(log.lines, ""), "unlogged") {
			t.Errorf("logged %q until %v, want all 8 lines at once", log.lines, log.at[len(log.at)-1].Sub(began))
		}
	})
}

func TestPeersThatAreLostEveryThreeSecondsForTwoHoursMakeFewLinesThatCountAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const faults = 2 * 60 * 60 / 3
		peers := peersNamed(12)
		log := reported(func(r *reporter) {
			for i := range faults {
				r.addNotice(noticeLost, "lan", peers[i%12], errors.New("silent"))
				r.addNotice(noticeConnected, "lan", peers[(i+6)%12], nil)
				time.Sleep(3 * time.Second)
			}
		})
		for _, kind := range []*noticeKind{noticeLost, noticeConnected} {
			if n := log.mostInAnHour(kind.many); n > 16 {
				t.Errorf("%d lines %q in one hour, want at most 16", n, kind.many)
			}
			times := 0
			for _, line := range log.lines {
				if strings.Contains(line, kind.many) {
					one := timedLog{lines: []string{line}}
					times += max(one.sum(t, kind.many, "count", 1), one.sum(t, kind.many, "times", 0))
				}
			}
			if times != faults {
				t.Errorf("the lines %q count %d, want %d", kind.many, times, faults)
			}
		}
	})
}

func TestAPeerThatIsLostAnHourLaterIsLoggedWithinTheDelayOfItsKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost time.Time
		log := reported(func(r *reporter) {
			for range 1200 {
				r.addNotice(noticeLost, "lan", peer.Peer{ID: "n1", Addr: "10.0.0.1:1"}, nil)
				time.Sleep(3 * time.Second)
			}
			time.Sleep(10*time.Minute + time.Hour)
			lost = time.Now()
			r.addNotice(noticeLost, "lan", peer.Peer{ID: "n2", Addr: "10.0.0.2:1"}, nil)
			time.Sleep(noticeDelay + time.Millisecond)
		})
		last := len(log.lines) - 1
		if !strings.Contains(log.lines[last], "count=1 peers=n2@10.0.0.2:1") || log.at[last].Sub(lost) != noticeDelay {
			t.Errorf("%q was logged %v after the loss, want n2 after %v", log.lines[last], log.at[last].Sub(lost), noticeDelay)
		}
	})
}

func TestWhyAFlappingTopologyIsNotWholeIsLoggedEverMoreRarely(t *testing.T) {
	log := new(timedLog)
	var s Supervisor
	s.reporter.init(hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: log, DisableTime: true}))
	var reminders map[string]*topologyReminder
	now := time.Unix(1_000_000, 0)
	for i := range 360 { // an hour in which every other look finds it whole
		status := TopologyStatus{Name: "lan", Formed: true, Whole: i%2 == 0, Why: fmt.Sprint("look ", i)}
		reminders = s.remind(reminders, Status{Topologies: []TopologyStatus{status}}, now)
		now = now.Add(reportEvery)
	}
	s.reporter.flush(now, true)
	if n := len(log.lines); n < 5 || n > 25 {
		t.Errorf("%d lines in an hour, want 5 to 25", n)
	}
}
