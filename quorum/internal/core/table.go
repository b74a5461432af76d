package core

import (
	"cmp"
	"sort"
	"time"
)

// Level is what a group promises about the holders of a shard. A guess that needs no quorum at all is not a level of a
// group: see Prefer of package quorum.
type Level uint8

const (
	// Exclusive: at most one holder at any instant. The next one begins after the last one returned or its lease is over.
	Exclusive Level = iota
	// Fenced: at most one holder for each token. As soon as a holder's member is judged down the next one begins, so that
	// both may act for a while, and stores must refuse the smaller token.
	Fenced
)

// Table is what all members know: sessions, and which of them holds which shard. It is a function of the log: the same entries
// give the same table. A Table that was handed out is read-only.
type Table struct {
	birth    Birth
	index    uint64 // of the last entry applied
	into     Birth  // the older birth that this one ends for; 0: none
	era      uint32 // the order that tokens begin with; at least that of the birth
	last     uint64 // the ID of the newest session
	sessions map[uint64]*Session
	order    []uint64 // IDs of sessions, ascending
	groups   []*Group // by ID, from 1; none is ever removed
	byName   map[string]*Group
	nonces   map[memberNonce]uint64 // IDs of sessions
	names    map[string]int         // how many sessions a member has
	touched  []shardKey             // what the entries since the last call of takeTouched changed
}

// Session is the right of one process to take part, from its first renewal to its end.
type Session struct {
	ID       uint64
	Nonce    uint64 // chosen by the member for this session
	Name     string // of the member
	Zone     string
	Draining bool // its shards are wanted elsewhere
}

// Group is a number of shards that are held by the sessions which serve it. Number of shards, level, copies and return are those of its first entry.
type Group struct {
	ID      uint64
	Name    string
	Level   Level
	Copies  int
	Return  time.Duration // see GroupSettings
	Shards  []Shard
	Members []GroupMember // by session

	held     map[uint64]int      // how many shards a session holds
	pins     map[int]string      // names of members, by shard
	excluded map[string]struct{} // names of members that are to hold nothing
}

// GroupMember is a session that serves a group; shards are shared in proportion to Weight.
type GroupMember struct {
	Session uint64
	Weight  int
	Moves   int // see GroupSettings
}

// Shard is the holder of a shard. Token is that of the last grant, also while there is no holder.
type Shard struct {
	Token   Token
	Holder  uint64   // session; 0: none
	Standby []uint64 // sessions that are to hold it next, in this order
}

// shardKey names a shard.
type shardKey struct {
	group uint64
	shard int
}

func newTable(b Birth) *Table {
	return &Table{birth: b, era: b.Order(), sessions: map[uint64]*Session{}, byName: map[string]*Group{}, nonces: map[memberNonce]uint64{}, names: map[string]int{}}
}

// Index returns the index of the last entry that this table has.
func (t *Table) Index() uint64 { return t.index }

// Group returns a group by name, nil if there is none.
func (t *Table) Group(name string) *Group { return t.byName[name] }

// Session returns a session, nil if there is none with this ID.
func (t *Table) Session(id uint64) *Session { return t.sessions[id] }

func (t *Table) group(id uint64) *Group {
	if id == 0 || id > uint64(len(t.groups)) {
		return nil
	}
	return t.groups[id-1]
}

// shard returns a shard and its group, nil if there is none.
func (t *Table) shard(group, shard uint64) (*Group, *Shard) {
	g := t.group(group)
	if g == nil || shard >= uint64(len(g.Shards)) {
		return nil, nil
	}
	return g, &g.Shards[shard]
}

// memberNonce is what a member names before it has the ID of its session.
type memberNonce struct {
	name  string
	nonce uint64
}

// find returns the session that a member opened with a nonce, nil if there is none.
func (t *Table) find(name string, nonce uint64) *Session {
	return t.sessions[t.nonces[memberNonce{name, nonce}]]
}

// add adds a session, whose ID is the greatest.
func (t *Table) add(s *Session) {
	t.sessions[s.ID] = s
	t.nonces[memberNonce{s.Name, s.Nonce}] = s.ID
	t.names[s.Name]++
	t.order = append(t.order, s.ID)
}

func newGroup(id uint64) *Group {
	return &Group{ID: id, held: map[uint64]int{}, pins: map[int]string{}, excluded: map[string]struct{}{}}
}

// assign gives a shard of this group to a session, 0 for none.
func (g *Group) assign(s *Shard, session uint64) {
	if g.held[s.Holder]--; g.held[s.Holder] <= 0 {
		delete(g.held, s.Holder)
	}
	if s.Holder = session; session != 0 {
		g.held[session]++
	}
}

// asked returns a session as it serves this group, zero if it does not; g may be nil.
func (g *Group) asked(session uint64) GroupMember {
	if g != nil {
		if i := g.member(session); i >= 0 {
			return g.Members[i]
		}
	}
	return GroupMember{}
}

// moves returns how many hand-overs may be under way at once: the least that a member asks for.
func (g *Group) moves() int {
	least := MaxShards
	for _, m := range g.Members {
		least = min(least, cmp.Or(m.Moves, DefaultMoves))
	}
	return least
}

// takeTouched returns the shards that changed since its last call.
func (t *Table) takeTouched() []shardKey {
	out := t.touched
	t.touched = nil
	return out
}

func (g *Group) member(session uint64) int {
	i := sort.Search(len(g.Members), func(i int) bool { return g.Members[i].Session >= session })
	if i < len(g.Members) && g.Members[i].Session == session {
		return i
	}
	return -1
}
