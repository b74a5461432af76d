package gossip

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// formationModel plays nodes that follow the rule of Formation, over a network that delivers their records late, in any order between
// nodes, and not at all across cuts.
type formationModel struct {
	rng    *rand.Rand
	config FormationConfig
	nodes  []*modelNode
	side   []int // of the cut that each node is on
	births map[string]bool
	ids    int
}

type modelNode struct {
	name    string
	started bool
	version int
	claim   formationClaim
	known   map[string]modelRecord // of others
	stored  string                 // the birth in its storage
}

type modelRecord struct {
	version int
	claim   formationClaim
}

func newFormationModel(seed uint64, n int, c FormationConfig) *formationModel {
	m := &formationModel{rng: rand.New(rand.NewPCG(seed, 1)), config: c, births: map[string]bool{}, side: make([]int, n)}
	for i := range n {
		m.nodes = append(m.nodes, &modelNode{name: fmt.Sprintf("n%02d", i), known: map[string]modelRecord{}})
	}
	return m
}

func (m *formationModel) newID(founder string) string {
	m.ids++
	return fmt.Sprintf("%013d-%016x-%s", m.ids, m.ids, founder)
}

// act has a node look at what it knows.
func (m *formationModel) act(i int) {
	n := m.nodes[i]
	if !n.started {
		return
	}
	s := situation{self: n.name, own: n.claim, peers: map[string]peerClaim{}}
	for k, peer := range m.nodes {
		if r, ok := n.known[peer.name]; ok {
			s.peers[peer.name] = peerClaim{r.claim, m.side[i] == m.side[k] && peer.started}
		}
	}
	d := s.decide(m.config, m.newID)
	if d.found {
		m.births[d.claim.Birth] = true
		n.stored = d.claim.Birth
		if m.rng.IntN(4) == 0 { // it dies between the founding and its announcement
			m.restart(i)
			return
		}
	}
	if !d.claim.equal(n.claim) {
		n.version++
		n.claim = d.claim
	}
}

// restart is that of a process with its disk: it knows what it has published, and what its storage belongs to.
func (m *formationModel) restart(i int) {
	n := m.nodes[i]
	n.known = map[string]modelRecord{}
	if n.stored != "" {
		n.version++
		n.claim = formationClaim{Birth: n.stored}
	}
}

// deliver has one node pass all that it knows to another, as an exchange of records does.
func (m *formationModel) deliver(from, to int) {
	a, b := m.nodes[from], m.nodes[to]
	if from == to || !a.started || !b.started || m.side[from] != m.side[to] {
		return
	}
	learn := func(name string, r modelRecord) {
		if old, ok := b.known[name]; name != b.name && (!ok || old.version < r.version) {
			b.known[name] = r
		}
	}
	learn(a.name, modelRecord{a.version, a.claim})
	for name, r := range a.known {
		learn(name, r)
	}
}

func (m *formationModel) step(faults bool) {
	i, k := m.rng.IntN(len(m.nodes)), m.rng.IntN(len(m.nodes))
	switch x := m.rng.IntN(100); {
	case x < 45:
		m.act(i)
	case x < 95 || !faults:
		m.deliver(i, k)
	case x < 98:
		m.nodes[i].started = true
	case x < 99:
		for j := range m.side {
			m.side[j] = m.rng.IntN(3)
		}
	default:
		m.restart(i)
	}
}

// play plays faults, heals them, and returns how many births there are then.
func (m *formationModel) play() int {
	for range 600 {
		m.step(true)
	}
	clear(m.side)
	for _, n := range m.nodes {
		n.started = true
	}
	for range 200 * len(m.nodes) {
		m.step(false)
	}
	return len(m.births)
}

func TestThereIsOneBirth(t *testing.T) {
	for _, c := range []struct {
		nodes  int
		config FormationConfig
	}{
		{3, FormationConfig{Expect: 3}}, {5, FormationConfig{Expect: 3}}, {5, FormationConfig{Expect: 5}}, {9, FormationConfig{Expect: 5}},
		{1, FormationConfig{Expect: 1}},
		{3, FormationConfig{Founders: []string{"n00", "n01", "n02"}}}, {12, FormationConfig{Founders: []string{"n11", "n04", "n07"}}},
	} {
		for seed := range uint64(1500) {
			m := newFormationModel(seed, c.nodes, c.config)
			if births := m.play(); births != 1 {
				t.Fatalf("seed %d, %d nodes, %+v: %d births", seed, c.nodes, c.config, births)
			}
			for _, n := range m.nodes {
				if !m.births[n.claim.Birth] {
					t.Fatalf("seed %d, %d nodes, %+v: %s claims %+v", seed, c.nodes, c.config, n.name, n.claim)
				}
			}
		}
	}
}

// Where twice as many nodes as expected start in two places there may be two births; each node then stays with one.
func TestTwoBirthsAreNeverMerged(t *testing.T) {
	two := 0
	for seed := range uint64(300) {
		m := newFormationModel(seed, 8, FormationConfig{Expect: 3})
		before := map[string]string{}
		for range 600 {
			m.step(true)
			for _, n := range m.nodes {
				if was := before[n.name]; was != "" && was != n.claim.Birth {
					t.Fatalf("seed %d: %s went from birth %s to %+v", seed, n.name, was, n.claim)
				}
				before[n.name] = n.claim.Birth
			}
		}
		if m.play() > 1 {
			two++
		}
	}
	if two == 0 {
		t.Error("no schedule has two births: the model does not cut deep enough")
	}
}

// A rule without consent, that of the usual expect, must be found out by the model.
func TestTheModelFindsABirthWithoutConsent(t *testing.T) {
	found := false
	for seed := range uint64(300) {
		m := newFormationModel(seed, 5, FormationConfig{Expect: 3})
		for range 600 {
			m.step(true)
			for _, n := range m.nodes { // forgets its consent at once
				n.claim.Consent = nil
			}
			for i, n := range m.nodes { // and founds without one
				if p := n.claim.Proposal; p != nil && m.rng.IntN(4) == 0 {
					m.births[p.ID] = true
					m.nodes[i].claim = formationClaim{Birth: p.ID}
				}
			}
		}
		found = found || m.play() > 1
	}
	if !found {
		t.Error("two births were never seen")
	}
}

// What the storage belongs to counts from the first look on, before anything was published, and above what the record has.
func TestABirthThatTheStorageBelongsToComesFirst(t *testing.T) {
	other := formationClaim{Birth: "0000000000001-0000000000000001-b"}
	s := situation{self: "a", own: other, peers: map[string]peerClaim{"b": {other, true}, "c": {formationClaim{}, true}}}
	c := FormationConfig{Expect: 1, Known: "0000000000002-0000000000000002-a"}
	if d := s.decide(c, newBirthID); d.claim.Birth != c.Known || d.found {
		t.Errorf("decided %+v, want the birth that is known", d)
	}
}
