package core

// home returns the birth that a node belongs to, or will once it finds it.
func (n *simNode) home() Birth {
	if n.birth != 0 {
		return n.birth
	}
	return n.s.birth
}

// checker returns the checker of a node's birth.
func (n *simNode) checker() *checker {
	s, b := n.s, n.home()
	if n.core != nil && n.core.birth != 0 {
		b = n.core.birth
	}
	if b == s.birth {
		return s.check
	}
	if s.checks[b] == nil {
		s.checks[b] = newChecker(s, b)
	}
	return s.checks[b]
}

// join has a node join the birth that its own one ended for, as a shell does: with an empty disk, and so a new identity.
func (n *simNode) join(o BirthEnded) {
	if n.core.birth != o.Birth {
		return
	}
	n.s.w.Logf("%s joins birth %x", n, o.Into)
	n.crash()
	n.disk.lose(n.s.newID())
	n.birth, n.came = o.Into, o.Birth
	n.start()
}

// checkJoined demands (I12) that no function begins at a node that joined another birth while one of the birth that it came from may act, and
// (I3) that its token is greater than all of that birth.
func (s *simulation) checkJoined(n *simNode, t Token) {
	if n.came == 0 || n.core.birth == n.came {
		return
	}
	if old := s.checks[n.came]; t <= old.top {
		s.fail("I3", "%s begins with token %x after %x of the birth that it came from", n, t, old.top)
	}
	for _, o := range s.nodes {
		if o.core == nil || o.core.birth != n.came || !o.host.Running() || !o.valid() {
			continue
		}
		for k, w := range o.works {
			if !w.stopped && !w.lost {
				s.fail("I12", "%s begins after it joined, while %s may act on %v in the birth that it came from", n, o, k)
				return
			}
		}
	}
}

// twoBirths has the last members found a birth of their own, cut off from the others; it is the younger one.
func (s *simulation) twoBirths(apart int) Birth {
	younger := NewBirth(s.birth.Order()+1, s.seed)
	for i, n := range s.nodes[len(s.nodes)-apart:] {
		n.birth = younger
		if i < s.cfg.Voters {
			s.others[younger] = append(s.others[younger], Voter{n.disk.id, n.name})
		}
		s.w.Net.Partition(1, n.host.Index)
	}
	return younger
}

// merged reports whether all nodes belong to the birth of the simulation.
func (s *simulation) merged() bool {
	for _, n := range s.nodes {
		if !n.host.Running() || n.core.birth != s.birth {
			return false
		}
	}
	return true
}
