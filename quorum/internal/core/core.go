package core

import (
	"fmt"
	"math/rand/v2"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// Core is the state of one member.
type Core struct {
	cfg      Config
	rng      *rand.Rand
	now      Now
	out      []Output
	self     []Frame // sent to this member itself
	birth    Birth
	cameFrom Birth // see Found
	failed   bool

	raft       *raftNode // nil: not a voter, and never was
	seq        uint64    // of the last Persist
	unsaved    []pending
	learned    map[uint64]string        // names of voters, by raft ID, as senders of messages
	heard      map[uint64]time.Duration // when a voter last sent something
	election   election
	leaderless time.Duration // when this voter last had a leader; 0 while it has one
	tickAt     time.Duration

	view   view
	lead   *leader // nil: does not lead
	member member

	mutant        mutants
	firstSnapshot *pb.Snapshot    // for a mutant
	onApply       func(*pb.Entry) // for tests
}

// mutants are rules left out, each of which the tests must notice.
type mutants struct {
	noRound      bool // renewals are answered without a quorum round
	staleRead    bool // reads are answered without a quorum round
	noWait       bool // a new leader does not wait for leases of before
	earlyRelease bool // a release is reported before the function returned
	ackEarly     bool // votes and acknowledgements are sent before they are durable
	oldSnapshot  bool // snapshots are from before a newcomer joined
	noRaise      bool // tokens go on as they were when members of another birth join
	joinEarly    bool // a member joins an older birth when its own functions have returned
	noPins       bool // shards are planned without their pins
	twoChanges   bool // a change of voters begins before the last one ended
}

// New returns a member with what is on its disk. The configuration must be valid; rng is the core's alone.
func New(cfg Config, saved Saved, rng *rand.Rand) (*Core, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Core{cfg: cfg, rng: rng, birth: saved.Birth, cameFrom: saved.CameFrom, learned: map[uint64]string{}, heard: map[uint64]time.Duration{}}
	c.member = newMember(cfg, rng)
	if c.birth != 0 {
		c.member.table = newTable(c.birth)
		if saved.Hard != nil || saved.Snapshot != nil {
			r, err := c.newRaft(saved)
			if err != nil {
				return nil, err
			}
			c.raft, c.leaderless = r, 1
			c.election.at = silence + c.jitter(silence)
		}
	}
	return c, nil
}

// Step takes one input and returns what is to be done, in order. The slice is the caller's.
func (c *Core) Step(now Now, in Input) (out []Output) {
	if c.failed {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			c.failed = true
			out = []Output{Failed{fmt.Sprint(r)}}
		}
	}()
	c.out = nil
	c.advance(now)
	c.handle(in)
	c.settle()
	return c.out
}

// advance takes the clocks. A leader that did not run for a while waits for leases as if it were elected now: renewals may
// have come and gone, and a session must not end because its leader was away.
func (c *Core) advance(now Now) {
	if c.lead != nil && now.Running-c.now.Running > silence {
		c.lead.since = now.Running
	}
	c.now = now
}

func (c *Core) handle(in Input) {
	switch in := in.(type) {
	case Found:
		c.found(in)
	case View:
		c.viewed(in)
	case Received:
		c.received(in.From, in.Frame)
	case LinkDown:
		c.linkDown(in.Peer)
	case Persisted:
		c.persisted(in.Seq)
	case Serve:
		c.member.serve(c, in.Group)
	case Stopped:
		c.member.stopped(c, in)
	case Drain:
		c.member.drain(c)
	case EndBirth:
		c.member.endBirth(c, in.Older)
	case Leave:
		c.member.leave(c, in.Timeout)
	case Read:
		c.member.request(c, &request{id: in.ID, frame: RequestFrame{Kind: requestRead, Key: in.Key}, until: c.now.Running + in.Timeout})
	case Watch:
		c.member.request(c, &request{id: in.ID, frame: RequestFrame{Kind: requestWatch, Key: in.Prefix, Prev: in.Since, After: in.After}, until: c.now.Running + in.Timeout})
	case Write:
		c.member.write(c, in)
	case Pin:
		c.member.direct(c, in.ID, in.Timeout, RequestFrame{Kind: requestPin, Group: in.Group, Shard: in.Shard, Member: in.Member})
	case Move:
		c.member.direct(c, in.ID, in.Timeout, RequestFrame{Kind: requestMove, Group: in.Group, Shard: in.Shard, Member: in.Member})
	case Exclude:
		c.member.direct(c, in.ID, in.Timeout, RequestFrame{Kind: requestExclude, Group: in.Group, Member: in.Member, Undo: in.Undo})
	case Transfer:
		c.member.direct(c, in.ID, in.Timeout, RequestFrame{Kind: requestTransfer, Member: in.To})
	}
}

// settle does what is due until nothing follows from it. Frames to this member itself are handled in the same step.
func (c *Core) settle() {
	for range 1000 {
		c.tickDue()
		c.election.due(c)
		c.ready()
		if c.lead != nil {
			c.lead.work(c)
		}
		c.member.work(c)
		c.ready()
		if len(c.self) == 0 {
			return
		}
		f := c.self[0]
		c.self = c.self[1:]
		c.received(c.cfg.Name, f)
	}
}

// tickDue ticks raft if this voter leads; missed ticks are not made up for.
func (c *Core) tickDue() {
	if c.lead != nil && c.now.Running >= c.tickAt {
		c.tickAt = c.now.Running + tick
		c.raft.node.Tick()
	}
}

// NextTick returns the reading of Now.Running at which the next Step is due, with a [Tick] if nothing happens before.
func (c *Core) NextTick() time.Duration {
	if c.failed {
		return c.now.Running + time.Hour
	}
	next := c.member.next(c)
	if c.raft != nil {
		next = min(next, c.election.at)
	}
	if c.lead != nil {
		next = min(next, c.tickAt, c.lead.next(c))
	}
	if len(c.self) > 0 {
		next = c.now.Running
	}
	return max(next, c.now.Running+minTick)
}

// minTick is the least time between two ticks, whatever is due.
const minTick = time.Millisecond

func (c *Core) emit(o Output) { c.out = append(c.out, o) }

// send sends a frame to a member, which may be this one.
func (c *Core) send(to string, f Frame) {
	if to == c.cfg.Name {
		c.self = append(c.self, f)
		return
	}
	c.emit(Send{To: to, Frame: f})
}
