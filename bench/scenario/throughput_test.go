package scenario

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/bench/engine"
	"github.com/goconvoke/convoke/bench/fabric"
)

// prompt is an engine whose members know everything after a second, but for one value that the last of them never hears of.
type prompt struct {
	n    int
	sink engine.Sink
	lost uint64 // 0: none
}

func (p *prompt) Start(int) error { return nil }
func (p *prompt) Stop(int)        {}
func (p *prompt) Close()          {}

func (p *prompt) emit(e engine.Event) {
	for e.Observer = range p.n {
		if e.Observer != p.n-1 || e.Value != p.lost || p.lost == 0 {
			p.sink(e)
		}
	}
}

func (p *prompt) Join(i, _ int) error {
	for s := range p.n {
		p.sink(engine.Event{Observer: i, Subject: s, Kind: engine.Alive})
		p.sink(engine.Event{Observer: s, Subject: i, Kind: engine.Alive})
	}
	return nil
}

func (p *prompt) later(e engine.Event) error {
	time.AfterFunc(time.Second, func() { p.emit(e) })
	return nil
}

func (p *prompt) Update(i int, value uint64) error {
	return p.later(engine.Event{Subject: i, Kind: engine.Updated, Value: value})
}

func (p *prompt) Share(i int, value uint64) error {
	return p.later(engine.Event{Subject: i, Kind: engine.Shared, Value: value})
}

// playPrompt plays a scenario with four prompt members.
func playPrompt(t *testing.T, s Scenario, lost uint64) (samples Samples, err error) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		factory := func(n int, _ *fabric.Fabric, sink engine.Sink) engine.Cluster { return &prompt{n, sink, lost} }
		samples, err = s.Play(factory, Settings{Members: 4, Limit: time.Minute})
	})
	return samples, err
}

func TestTheRateCountsWholeRounds(t *testing.T) {
	for _, s := range []Scenario{throughput, shared} {
		samples, err := playPrompt(t, s, 0)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if len(samples["round"]) != rounds || samples["rate"][0] != 4 || samples["slowest"][0] != 1 {
			t.Errorf("%s: %v, want %d rounds of four changes in a second", s.Name, samples, rounds)
		}
	}
}

func TestARoundThatNeverEndsIsAFindingNotAHang(t *testing.T) {
	samples, err := playPrompt(t, shared, 1<<32+2)
	if err == nil || !strings.Contains(err.Error(), "round 3 of 20 is not over after 1m0s: 3 of 12 values") {
		t.Errorf("error = %v, want one with the round and what is missing", err)
	}
	if want := 2 * 4.0 / 62; math.Abs(samples["rate"][0]-want) > 1e-9 {
		t.Errorf("rate = %v, want two rounds in 62 s: %v", samples["rate"], want)
	}
	if !math.IsInf(samples["slowest"][0], 1) || len(samples["round"]) != 3 {
		t.Errorf("slowest = %v of rounds %v, want never", samples["slowest"], samples["round"])
	}
	samples, err = playPrompt(t, shared, 1<<32)
	if err == nil || samples["rate"][0] != 0 || math.IsNaN(samples["bytes"][0]) {
		t.Errorf("no round at all: %v, %v", samples, err)
	}
}
