package core

type simRequest struct{}

func (n *simNode) result(o Result)               {}
func (s *simulation) crashedRequests(n *simNode) {}
func (s *simulation) startTraffic()              {}
func (s *simulation) endTraffic()                {}
