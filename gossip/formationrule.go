package gossip

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// formationClaim is what a node publishes about a formation in its own record.
type formationClaim struct {
	Birth    string    `json:"birth,omitempty"`    // that it belongs to
	Proposal *proposal `json:"proposal,omitempty"` // its own
	Consent  *consent  `json:"consent,omitempty"`  // to another's proposal
}

// proposal asks nodes for their consent to a birth.
type proposal struct {
	ID    string   `json:"id"`    // of the birth
	First []string `json:"first"` // whose consent it needs, the proposer included, by name
}

// consent states that its node takes part in no other birth while the one proposed may still come.
type consent struct {
	ID string `json:"id"`
	To string `json:"to"` // the proposer
}

func (c formationClaim) equal(o formationClaim) bool {
	return c.Birth == o.Birth && (c.Proposal == nil) == (o.Proposal == nil) && (c.Consent == nil) == (o.Consent == nil) &&
		(c.Proposal == nil || c.Proposal.ID == o.Proposal.ID) && (c.Consent == nil || *c.Consent == *o.Consent)
}

// situation is what a node sees of a formation at one moment.
type situation struct {
	self      string
	own       formationClaim
	takesPart bool                 // this node has published a claim before, perhaps an empty one
	peers     map[string]peerClaim // by name; those that have left are not among them
}

// peerClaim is what another node has published, and whether it is up.
type peerClaim struct {
	formationClaim
	up bool
}

// decision is what a node publishes next.
type decision struct {
	claim  formationClaim
	found  bool   // it is to found its proposal first
	reason string // why there is no birth
}

// decide applies the rule of [Formation]. It has no side effects.
func (s situation) decide(c FormationConfig, newID func(founder string) string) decision {
	if birth := cmp.Or(c.Known, s.own.Birth); birth != "" {
		return decision{claim: formationClaim{Birth: birth}}
	}
	if oldest := s.oldestBirth(); oldest != "" {
		return decision{claim: formationClaim{Birth: oldest}}
	}
	if given := s.own.Consent; given != nil {
		peer, known := s.peers[given.To]
		if known && peer.Proposal != nil && peer.Proposal.ID == given.ID {
			reason := fmt.Sprintf("%s is about to found it", given.To)
			if !peer.up {
				reason = fmt.Sprintf("%s may have founded it and is down; it must come back, or be removed from the cluster for good", given.To)
			}
			return decision{claim: s.own, reason: reason}
		}
	}
	first, reason := s.requiredFounders(c)
	if reason != "" {
		return decision{reason: reason} // consent and proposal are withdrawn
	}
	if first[0] == s.self {
		return s.decideProposal(first, newID)
	}
	return s.decideConsent(first)
}

// oldestBirth returns the earliest birth that a peer belongs to, "" if none does. That of a peer that is down counts.
func (s situation) oldestBirth() string {
	oldest := ""
	for _, p := range s.peers {
		if p.Birth != "" && (oldest == "" || p.Birth < oldest) {
			oldest = p.Birth
		}
	}
	return oldest
}

// requiredFounders returns the names of those who must consent, in order, or what is missing.
func (s situation) requiredFounders(c FormationConfig) ([]string, string) {
	together := []string{s.self}
	for name, p := range s.peers {
		if p.up {
			together = append(together, name)
		}
	}
	slices.Sort(together)
	if c.Expect > 0 {
		if len(together) < c.Expect {
			return nil, fmt.Sprintf("%d of %d nodes take part: %s", len(together), c.Expect, strings.Join(together, ", "))
		}
		return together[:c.Expect], ""
	}
	founders := slices.Sorted(slices.Values(c.Founders))
	var missing []string
	for _, name := range founders {
		if !slices.Contains(together, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, "founders are missing: " + strings.Join(missing, ", ")
	}
	return founders, ""
}

// decideProposal is the part of the node with the lowest name: it keeps its proposal while that is the right one, and founds when all have
// consented.
func (s situation) decideProposal(first []string, newID func(string) string) decision {
	p := s.own.Proposal
	if p == nil || !slices.Equal(p.First, first) {
		p = &proposal{ID: newID(s.self), First: first}
		if len(first) > 1 {
			return decision{claim: formationClaim{Proposal: p}, reason: "the others have not consented yet"}
		}
	}
	var missing []string
	for _, name := range first[1:] {
		if given := s.peers[name].Consent; given == nil || given.ID != p.ID {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return decision{claim: formationClaim{Proposal: p}, reason: "no consent yet of " + strings.Join(missing, ", ")}
	}
	return decision{claim: formationClaim{Birth: p.ID}, found: true}
}

// decideConsent is the part of all others: to consent to the proposal of the node with the lowest name, if this one is meant.
func (s situation) decideConsent(first []string) decision {
	p := s.peers[first[0]].Proposal
	if !slices.Contains(first, s.self) {
		return decision{reason: fmt.Sprintf("%s found it", strings.Join(first, ", "))}
	}
	if p == nil || !slices.Equal(p.First, first) {
		return decision{reason: fmt.Sprintf("%s has not proposed yet", first[0])}
	}
	return decision{claim: formationClaim{Consent: &consent{p.ID, first[0]}}, reason: fmt.Sprintf("%s is about to found it", first[0])}
}
