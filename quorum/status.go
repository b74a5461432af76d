package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Status is what this member knows of the quorum at one moment. Durations are counted back from then.
type Status struct {
	Member string // the name of this member
	Birth  string // the ID of the birth that it belongs to, "" before there is one
	Role   string // its part in the log: "none", "learner", "voter" or "leader"
	Disk   bool   // whether it keeps its log on a disk
	Leader string // the name of the leader, "" if none is known
	Term   uint64 // of the leader
	Why    string // why there is no leader, in words; "" if there is one

	Voters   []Voter // of the log of this member; none at a member without a log
	Wanted   int     // how many voters there should be
	Changing bool    // a voter is being replaced
	Commit   uint64  // index of the last entry that is known to be committed; 0 at a member without a log
	Applied  uint64  // index of the last entry applied; 0 at a member without a log

	Session  uint64        // of this member, 0: none
	Lease    time.Duration // for how long this member may act without another answer of the leader; 0: it may not
	Age      time.Duration // since the leader last sent something to this member; negative: never
	Draining bool          // this member gives up its shards

	Sessions []Session // of all members
	Groups   []Group   // in the order in which they were made
	Moves    []Move    // hand-overs that have begun and not ended; known to the leader alone
	Conflict string    // which members that are up belong to another birth, or that the arbiter has another one, in words; "" if there is none
	Problem  string    // why this member's part does not run, in words; "" if it does
}

// Voter is a member of the log.
type Voter struct {
	ID      uint64
	Name    string        // "" if not known
	Learner bool          // it gets the log and does not vote yet
	Leaving bool          // it votes until the change in progress is over
	Match   uint64        // index up to which it has the log; known to the leader alone
	Silent  time.Duration // for how long it has answered nothing, 0 if it answers; known to the leader alone
}

// Session is the right of one process to hold shards.
type Session struct {
	ID       uint64
	Member   string
	Zone     string
	Draining bool
	Old      bool           // the member has a later session, mostly as it has started again: this one ends with its lease
	Holds    map[string]int // shards that it holds, by group that it serves
}

// Group is a number of shards that members share.
type Group struct {
	Name    string
	Level   Level
	Copies  int
	Shards  int
	Members int // that serve it
	Vacant  int // shards without a holder
}

// Move is a shard that its holder was asked to give up.
type Move struct {
	Group string
	Shard int
	From  string        // the holder
	Since time.Duration // the request
}

// Status returns what this member knows. It asks the loop; the error is that of ctx, or ErrStopped.
func (q *Quorum) Status(ctx context.Context) (Status, error) {
	s := Status{Member: q.config.Node.Name(), Role: "none", Wanted: q.config.Voters, Disk: q.config.DataDir != "", Age: -1}
	s.Problem, s.Conflict = q.report.read()
	var cs core.Status
	var now core.Now
	err := ErrStopped // between two lives
	if l := q.life.Load(); l != nil {
		err = l.ask(ctx, func() { cs, now, s.Birth = l.core.Status(), q.clock.now(), l.founding.ID })
	}
	switch {
	case q.ctx.Err() != nil:
		return s, ErrStopped
	case errors.Is(err, ErrStopped):
		s.Why = "this member's part in the quorum does not run"
		return s, nil
	case err != nil:
		return s, err
	}
	s.fill(cs, now)
	if s.Leader == "" {
		s.Why = q.whyNoLeader(cs.Why, now)
	}
	return s, nil
}

// fill copies what the core knows.
func (s *Status) fill(c core.Status, now core.Now) {
	s.Role, s.Leader, s.Term, s.Changing, s.Commit, s.Applied = c.Role.String(), c.Leader, c.Term, c.Changing, c.Commit, c.Applied
	s.Session, s.Draining = c.Session, c.Draining
	if c.Session != 0 {
		s.Lease = max(0, c.Until-now.Lease)
	}
	if c.Heard != 0 {
		s.Age = now.Running - c.Heard
	}
	for _, v := range c.Voters {
		o := Voter{ID: v.ID, Name: v.Name, Learner: v.Learner, Leaving: v.Leaving, Match: v.Match}
		if v.Silent != 0 {
			o.Silent = now.Running - v.Silent
		}
		s.Voters = append(s.Voters, o)
	}
	for _, e := range c.Sessions {
		o := Session{ID: e.ID, Member: e.Name, Zone: e.Zone, Draining: e.Draining, Old: e.Old, Holds: map[string]int{}}
		for _, h := range e.Serves {
			o.Holds[h.Group] = h.Shards
		}
		s.Sessions = append(s.Sessions, o)
	}
	for _, g := range c.Groups {
		s.Groups = append(s.Groups, Group{g.Name, Level(g.Level), g.Copies, g.Shards, g.Members, g.Vacant})
	}
	for _, m := range c.Moves {
		s.Moves = append(s.Moves, Move{m.Group, m.Shard, m.From, now.Running - m.Since})
	}
}

// whyNoLeader makes a sentence of why no leader is known.
func (q *Quorum) whyNoLeader(w core.Why, now core.Now) string {
	since := (now.Running - w.Since).Round(time.Second)
	switch w.Reason {
	case core.Unborn:
		return "there is no quorum yet: " + q.report.formationProblem() + crowdWarning(q.config.Node.View(), &q.config)
	case core.Minority:
		return fmt.Sprintf("%d of %d voters can be reached and %d are needed; missing: %s", w.Reachable, w.Voters, w.Needed, strings.Join(slices.Sorted(slices.Values(w.Missing)), ", "))
	case core.Electing:
		return fmt.Sprintf("%d of %d voters can be reached and are electing one since %v", w.Reachable, w.Voters, since)
	case core.Unanswered:
		return fmt.Sprintf("no voter that this member asked knows a leader, since %v", since) + q.remedy()
	case core.Broken:
		return "an internal contract broke: this member's part has ended"
	}
	return ""
}

// remedy returns what to do when the voters do not come back, by the kind of birth.
func (q *Quorum) remedy() string {
	if a := q.config.Birth.arbiter; a != nil {
		return fmt.Sprintf("; if the logs of most voters are lost for good, delete %v and start all members again", a)
	}
	return ""
}

// report is what a status needs that the core does not know.
type report struct {
	mu        sync.Mutex
	problem   error
	formation *gossip.Formation
	missing   string           // for the founding by an arbiter
	others    []*gossip.Member // that belong to other births
	arbiter   string           // what the arbiter has instead of the birth of this member
	left      chan struct{}    // closed once a Leave has ended; nil before it
	leftAs    *core.Left
}

func (r *report) setProblem(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problem = err
}

func (r *report) setMissing(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missing = what
}

// setOthers notes the members that belong to other births now.
func (r *report) setOthers(members []*gossip.Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.others = members
}

// setArbiter notes what the arbiter has instead of the birth of this member, "" if it has that.
func (r *report) setArbiter(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arbiter = what
}

func (r *report) setFormation(f *gossip.Formation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.formation = f
}

func (r *report) read() (problem, conflict string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problem != nil {
		problem = r.problem.Error()
	}
	var conflicts []string
	if len(r.others) > 0 {
		conflicts = append(conflicts, othersConflict(r.others))
	}
	if r.arbiter != "" {
		conflicts = append(conflicts, r.arbiter)
	}
	return problem, strings.Join(conflicts, "; ")
}

// othersConflict describes members of other births by the first one.
func othersConflict(members []*gossip.Member) string {
	b, _ := birthOf(members[0])
	birth, _ := parseBirth(b.ID)
	text := fmt.Sprintf("%s belongs to another birth, of order %d", members[0].Name, birth.Order())
	if n := len(members) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more belong to others than this one", n)
	}
	return text
}

// formationProblem returns what is missing for the founding.
func (r *report) formationProblem() string {
	r.mu.Lock()
	f, missing := r.formation, r.missing
	r.mu.Unlock()
	if missing != "" {
		return missing
	}
	if f == nil {
		return "this member waits for those that may vote to found it"
	}
	ended, cancel := context.WithCancelCause(context.Background())
	cancel(errNotYet)
	_, err := f.Wait(ended)
	if err == nil {
		return "it is founded, and this member is about to join it"
	}
	return strings.TrimSuffix(strings.TrimPrefix(err.Error(), "gossip: formation \"quorum\": "), ": "+errNotYet.Error())
}

var errNotYet = errors.New("not yet")
