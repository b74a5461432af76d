package cluster

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// Group is an entry of the section "groups" of a file: shards that the members divide among themselves. It is plain data, as [Quorum] is.
type Group struct {
	Name string `yaml:"-"`
	// Shards is their number, 1 to 65,536. It is required, and the same for good.
	Shards int `yaml:"shards"`
	// Level is what the group promises: "exclusive", "fenced" or "prefer". The last one needs no quorum.
	Level string `yaml:"level"`
	// Copies is how many members each shard has, the holder included: 1 to 7.
	Copies int `yaml:"copies"`
	// Weight is the share of this node, beside the weights of the others: 1 to 1,048,576.
	Weight int `yaml:"weight"`
	// Handover is how long a function may take to return when its shard goes to another member, 1 ms to 1 h.
	Handover time.Duration `yaml:"handover"`
	// Hash is how keys are divided into shards: "fnv", or "java" as ring-election does.
	Hash string `yaml:"hash"`
	// Return is for how long the shards of a member that is gone wait for its return, 0 to 1 h.
	Return time.Duration `yaml:"return"`
	// Moves is how many shards may be on the way from one member that works to another at the same time, 1 to 65,536; the least of all nodes counts.
	Moves int `yaml:"moves"`
}

// The values of Group.Level and Group.Hash.
const (
	LevelExclusive = "exclusive" // at most one holder at any instant
	LevelFenced    = "fenced"    // one holder for each token; stores refuse the smaller one
	LevelPrefer    = "prefer"    // a hint that follows the view of each node

	HashFNV  = "fnv"
	HashJava = "java"
)

var (
	levels = []string{LevelExclusive, LevelFenced, LevelPrefer}
	hashes = []string{HashFNV, HashJava}
)

// DefaultGroup returns what holds where an entry is silent. Its name and number of shards have to be filled in.
func DefaultGroup() Group {
	return Group{Level: LevelExclusive, Copies: 1, Weight: 1, Handover: 30 * time.Second, Hash: HashFNV, Moves: defaultMoves}
}

// Validate reports all that is wrong with g, placed in its entry.
func (g *Group) Validate() error {
	var errs []error
	check := func(key string, ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, strictyaml.At(key, fmt.Errorf(format, args...)))
		}
	}
	check("shards", g.Shards != 0, "required: the number of shards, 1 to %d; a leader is a group of one", maxShards)
	check("shards", g.Shards >= 0 && g.Shards <= maxShards, "%d: want 1 to %d", g.Shards, maxShards)
	check("level", slices.Contains(levels, g.Level), "%q is unknown%s", g.Level, strictyaml.Hint(g.Level, levels))
	check("copies", g.Copies >= 1 && g.Copies <= maxCopies, "%d: want 1 to %d", g.Copies, maxCopies)
	check("weight", g.Weight >= 1 && g.Weight <= maxWeight, "%d: want 1 to %d", g.Weight, maxWeight)
	check("handover", g.Handover >= minHandover && g.Handover <= maxHandover, "%v: want %v to %v", g.Handover, minHandover, maxHandover)
	check("hash", slices.Contains(hashes, g.Hash), "%q is unknown%s", g.Hash, strictyaml.Hint(g.Hash, hashes))
	check("return", g.Return >= 0 && g.Return <= maxReturn, "%v: want 0s to %v", g.Return, maxReturn)
	check("moves", g.Moves >= 1 && g.Moves <= maxShards, "%d: want 1 to %d", g.Moves, maxShards)
	if g.Level == LevelPrefer {
		check("copies", g.Copies <= 1, "a group of level prefer has no copies: leave the key out")
		check("weight", g.Weight <= 1, "a group of level prefer has no weights: leave the key out")
		check("return", g.Return <= 0, "a group of level prefer follows the view alone: leave the key out")
		check("moves", g.Moves == defaultMoves, "shards of a group of level prefer do not move: leave the key out")
	}
	return errors.Join(errs...)
}

// checkGroupName reports a name that no group can have.
func checkGroupName(name string) error {
	if len(name) == 0 || len(name) > maxName {
		return fmt.Errorf("group %.40q: a name has 1 to %d bytes", name, maxName)
	}
	return nil
}

// Group returns the group of a name, if the file has it.
func (c *Config) Group(name string) (Group, bool) {
	i := slices.IndexFunc(c.Groups, func(g Group) bool { return g.Name == name })
	if i < 0 {
		return Group{}, false
	}
	return c.Groups[i], true
}
