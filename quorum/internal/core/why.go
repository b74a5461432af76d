package core

import "time"

// Reason is why a member knows no leader.
type Reason uint8

const (
	// Led: there is a leader.
	Led Reason = iota
	// Unborn: this member knows of no birth yet.
	Unborn
	// Minority: fewer voters can be reached than are needed to elect a leader.
	Minority
	// Electing: enough voters can be reached, and none has won an election yet.
	Electing
	// Unanswered: this member has no log, and no voter that it asked knows a leader.
	Unanswered
	// Broken: an internal contract broke, and this member's part of the quorum has stopped; see [Failed].
	Broken
)

// Why is what a sentence about the missing leader is made of.
type Why struct {
	Reason    Reason
	Voters    int           // in the log of this member
	Reachable int           // of them, this member included if it is one
	Needed    int           // of them, for a leader
	Missing   []string      // the names of the others, in the order of their IDs
	Since     time.Duration // of Now.Running: when this member last had a leader, or began
	Asked     int           // how often this member asked one that did not lead, or did not answer, since its start
}

// why returns why no leader is known.
func (c *Core) why(s *Status) Why {
	w := Why{Since: c.member.heard, Asked: c.member.tries}
	switch {
	case s.Leader != "":
		return Why{}
	case c.birth == 0:
		w.Reason = Unborn
		return w
	case c.raft == nil || len(s.Voters) == 0:
		w.Reason = Unanswered
		return w
	}
	w.Since = c.leaderless
	for _, v := range s.Voters {
		if v.Learner || v.Leaving {
			continue
		}
		w.Voters++
		if c.reachable(v.ID) {
			w.Reachable++
		} else {
			w.Missing = append(w.Missing, v.Name)
		}
	}
	w.Needed = w.Voters/2 + 1
	w.Reason = Electing
	if w.Reachable < w.Needed {
		w.Reason = Minority
	}
	return w
}

// reachable reports whether a voter is up as the membership core sees it, or if that does not know it, whether it sent something lately.
func (c *Core) reachable(id uint64) bool {
	if m := c.view.members[c.voterName(id)]; m != nil && id != c.cfg.ID {
		return m.Up && !m.Left && (m.Voter == 0 || m.Voter == id)
	}
	return c.answers(id)
}
