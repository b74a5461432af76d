package core

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

func (t *Table) parseGroup(b []byte) error {
	g := newGroup(uint64(len(t.groups)) + 1)
	var level, copies, returns uint64
	err := eachField(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text(&g.Name, MaxName)
		case 2:
			return f.number(&level)
		case 3:
			return f.number(&copies)
		case 4:
			return g.parseMember(f.data)
		case 5:
			return g.parseShards(f.data)
		case 6:
			return g.parsePin(f.data)
		case 7:
			return g.parseExcluded(f)
		case 8:
			return f.number(&returns)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(t.groups) >= MaxGroups, t.byName[g.Name] != nil, level > uint64(Fenced), copies == 0, copies > MaxCopies, returns > uint64(MaxReturn):
		return fmt.Errorf("%w: group %q", errFormat, g.Name)
	}
	g.Level, g.Copies, g.Return = Level(level), int(copies), time.Duration(returns)
	t.groups = append(t.groups, g)
	t.byName[g.Name] = g
	return nil
}

// parsePin reads a pin. Those of shards that are not there are left out.
func (g *Group) parsePin(b []byte) error {
	var shard uint64
	var name string
	err := parseInto(b, []*uint64{&shard}, func(v field) error { return v.text(&name, MaxName) })
	if err == nil && name != "" && shard < uint64(len(g.Shards)) {
		g.pins[int(shard)] = name
	}
	return err
}

func (g *Group) parseExcluded(f field) error {
	var name string
	err := f.text(&name, MaxName)
	if err == nil && len(g.excluded) >= MaxSessions {
		return fmt.Errorf("%w: more than %d excluded members", errFormat, MaxSessions)
	}
	g.excluded[name] = struct{}{}
	return err
}

func (g *Group) parseMember(b []byte) error {
	var session, weight, moves uint64
	err := parseInto(b, []*uint64{&session, &weight, &moves}, func(field) error { return nil })
	n := len(g.Members)
	switch {
	case err != nil:
		return err
	case n >= MaxSessions, n > 0 && g.Members[n-1].Session >= session, weight == 0 || weight > 1<<20, moves > MaxShards:
		return fmt.Errorf("%w: member %d of a group", errFormat, session)
	}
	g.Members = append(g.Members, GroupMember{Session: session, Weight: int(weight), Moves: int(moves)})
	return nil
}

// numbers reads packed numbers; failed once there are too few.
type numbers struct {
	b      []byte
	failed bool
}

func (n *numbers) next() uint64 {
	v, size := protowire.ConsumeVarint(n.b)
	if size < 0 {
		n.failed = true
		return 0
	}
	n.b = n.b[size:]
	return v
}

func (g *Group) parseShards(b []byte) error {
	in := numbers{b: b}
	for len(in.b) > 0 && !in.failed {
		s := Shard{Token: Token(in.next())}
		g.assign(&s, in.next())
		count := in.next()
		if count > MaxCopies || len(g.Shards) >= MaxShards {
			return fmt.Errorf("%w: shard %d", errFormat, len(g.Shards))
		}
		for range count {
			s.Standby = append(s.Standby, in.next())
		}
		g.Shards = append(g.Shards, s)
	}
	if in.failed {
		return fmt.Errorf("%w: shards are cut off", errFormat)
	}
	return nil
}
