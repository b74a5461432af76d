// Package scenario plays what can happen to a cluster and measures how an engine copes: with a join storm, deaths, updates,
// many of them at once, loss, frozen members, a partition, the isolation of one, writes while members are cut off, and a newcomer to
// a large state. It sees the engine through what its members report, and the network through its counters.
package scenario

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Unit is what a figure is counted in.
type Unit uint8

const (
	Seconds Unit = iota
	Bytes
	BytesPerSecond
	PerSecond
	Count  // of what should be few
	Number // of what is compared
)

// Metric is one figure of a scenario.
type Metric struct {
	Key   string // unique in the scenario
	Title string
	Unit  Unit
}

// Scenario is something that happens to a formed cluster (the join storm: to one that is about to form).
type Scenario struct {
	Name    string
	Title   string
	Metrics []Metric
	// MaxMembers is the largest number of members with which the scenario is played; 0: any.
	MaxMembers int

	formed    bool // play wants all members joined and settled, but for the newcomers
	newcomers int  // the last members, which play has to start
	play      func(*run) error
}

// ErrNotApplicable is returned by Play if the engine lacks what the scenario is about.
var ErrNotApplicable = errors.New("not applicable")

// All returns all scenarios, in the order of the report.
func All() []Scenario {
	all := []Scenario{join, crash, silent, update, throughput, shared, idle}
	for _, percent := range []int{5, 10, 20} {
		all = append(all, loseForMinute(percent))
	}
	return append(all, stall, partition, isolated, busy, bulk)
}

// Select returns the scenarios of these names, all for none. "loss" stands for all that begin with "loss-".
func Select(wanted []string) ([]Scenario, error) {
	if len(wanted) == 0 {
		return All(), nil
	}
	var chosen []Scenario
	for _, name := range wanted {
		found := false
		for _, s := range All() {
			if s.Name == name || strings.HasPrefix(s.Name, name+"-") {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("unknown scenario %q, want any of %s", name, strings.Join(names(), ", "))
		}
	}
	return chosen, nil
}

func names() []string {
	var all []string
	for _, s := range All() {
		all = append(all, s.Name)
	}
	return all
}

// Settings are common to all scenarios.
type Settings struct {
	Members int           // at least 4
	Updates int           // in a series
	Limit   time.Duration // after which what did not happen is given up
	State   int           // in bytes, of scenario bulk
	Seed    uint64        // of the network, and of the choice of members
	Trace   io.Writer     // takes a line for each change of a list, with its time; nil: none
}

// Samples are the values of each metric, by key; what did not happen within the limit is +Inf.
type Samples map[string][]float64
