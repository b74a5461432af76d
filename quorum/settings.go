package quorum

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// HandoverThen is what happens when a function has not returned by Settings.Handover.
type HandoverThen uint8

const (
	// Wait keeps the shard for as long as the function runs and the session of the member lives: safe before fast.
	Wait HandoverThen = iota
	// Exit ends Work with [ErrStuck] while the function still runs, so that the program can end, and its session with it.
	Exit
)

// Hash is how keys are divided into shards.
type Hash uint8

const (
	// FNV divides as [Of] does.
	FNV Hash = iota
	// Java divides as [OfJava] does.
	Java
)

// Settings describe a group of shards. Count, Level, Copies and Return are fixed by the first member that works on the group; a member that asks
// for others gets [ErrCount].
type Settings struct {
	// Count is the number of shards, 1 to 65,536.
	Count int
	// Level is what the group promises; the default is Exclusive.
	Level Level
	// Copies is how many members each shard has, the holder included, 1 to 7; 0 means 1. Those after the holder stand by, in other zones where
	// that is possible.
	Copies int
	// Weight is this member's part of the shards in proportion to the weights of the others, 1 to 1,048,576; 0 means 1.
	Weight int
	// Handover is how long a function may take to return after its context ended, 1 ms to 1 h; 0 means 30 s. HandoverThen is what
	// happens after it; an error is logged in any case.
	Handover     time.Duration
	HandoverThen HandoverThen
	// Return is for how long after its last sign of life the shards of a member wait for its return before they go to others, 0 to 1 h: for services
	// that restart faster than they fill their caches. It is fixed as Count is; 0 means not at all.
	Return time.Duration
	// Moves is how many shards may be on the way from one member that works to another at the same time, 1 to 65,536; 0 means 32. Where members
	// ask for different numbers, the least counts. Shards without a holder do not wait.
	Moves int
	// Hash is how Of divides keys.
	Hash Hash
}

func (s Settings) withDefaults() Settings {
	s.Copies, s.Weight, s.Moves = cmp.Or(s.Copies, 1), cmp.Or(s.Weight, 1), cmp.Or(s.Moves, core.DefaultMoves)
	s.Handover = cmp.Or(s.Handover, 30*time.Second)
	return s
}

// maxWeight is the greatest Settings.Weight.
const maxWeight = 1 << 20

// Validate reports every setting that is out of its bounds. Fields that are 0 count as their defaults.
func (s Settings) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	s = s.withDefaults()
	check(s.Count >= 1 && s.Count <= core.MaxShards, "count %d: want 1 to %d", s.Count, core.MaxShards)
	check(s.Level <= Fenced, "level %d: want Exclusive or Fenced; a guess without a quorum is Prefer", s.Level)
	check(s.Copies >= 1 && s.Copies <= core.MaxCopies, "copies %d: want 1 to %d", s.Copies, core.MaxCopies)
	check(s.Weight >= 1 && s.Weight <= maxWeight, "weight %d: want 1 to %d", s.Weight, maxWeight)
	check(s.Handover >= time.Millisecond && s.Handover <= time.Hour, "handover %v: want 1ms to 1h", s.Handover)
	check(s.Return >= 0 && s.Return <= core.MaxReturn, "return %v: want 0 to %v", s.Return, core.MaxReturn)
	check(s.Moves >= 1 && s.Moves <= core.MaxShards, "moves %d: want 1 to %d", s.Moves, core.MaxShards)
	check(s.HandoverThen <= Exit, "handover_then %d: want Wait or Exit", s.HandoverThen)
	check(s.Hash <= Java, "hash %d: want FNV or Java", s.Hash)
	return errors.Join(errs...)
}

// group returns what the core is asked for.
func (s Settings) group(name string) core.GroupSettings {
	return core.GroupSettings{Name: name, Shards: s.Count, Level: core.Level(s.Level), Copies: s.Copies, Weight: s.Weight, Return: s.Return, Moves: s.Moves}
}

// checkGroup reports how a group that exists differs from what was asked for, nil if it does not.
func checkGroup(want, have core.GroupSettings) error {
	if have.Shards == want.Shards && have.Level == want.Level && have.Copies == want.Copies && have.Return == want.Return {
		return nil
	}
	return fmt.Errorf("%w: %q has %d shards, level %v, copies %d, return %v; asked for %d, %v, %d, %v", ErrCount, want.Name,
		have.Shards, Level(have.Level), have.Copies, have.Return, want.Shards, Level(want.Level), want.Copies, want.Return)
}

func checkGroupName(name string) error {
	if len(name) == 0 || len(name) > core.MaxName {
		return fmt.Errorf("group name %.80q: want 1 to %d bytes", name, core.MaxName)
	}
	return nil
}
