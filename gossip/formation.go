package gossip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Formation has members that start together found one thing exactly once, such as the first log of a Raft group, and has all others
// join it. Every node that takes part publishes in its own record what it knows: the birth it belongs to, what it proposes, or to which
// proposal it consents. The node with the lowest name proposes; it founds when all that it needs have consented in their own records,
// and a node consents to one proposal at a time, for as long as that may still be founded. A node that knows of a birth never
// consents to another one.
//
// So there is one birth, if fewer than twice Expect nodes take part before it, or if Founders are named. Two births come about where
// more nodes are cut in two before the first; when these meet, each node stays with its own, and [Formation.Conflict] reports it. Nothing
// merges them.
type Formation struct {
	node   *Node
	config FormationConfig
	key    string
	stop   context.CancelFunc
	ended  chan struct{}

	foundAt time.Time // when Found may be called again after an error; of the goroutine alone

	mu      sync.Mutex
	birth   Birth
	reason  string // why there is no birth yet
	changed chan struct{}
}

// FormationConfig describes what is founded, and by which nodes. Name, Found and one of Founders and Expect are required.
type FormationConfig struct {
	// Name of what is founded, 1 to 64 bytes of printable text; the same at all nodes.
	Name string
	// Founders are the names of nodes that must all have consented. It is safe whatever happens but the loss of the state of all of them.
	Founders []string
	// Expect is how many nodes must be together and consent, 1 to 255: those with the lowest names among all that take part. It is safe
	// while fewer than twice as many nodes take part before the birth.
	Expect int
	// Known is the ID of the birth that the storage of this node belongs to, "" if that is empty.
	Known string
	// Found makes the first state, at one node. It must store Birth.ID with it, and return soon after its context ends. It is tried again when it fails or panics, unless the consent
	// of the others has ended meanwhile; when it returns nil, the birth is announced. It is not called at nodes that join.
	Found func(ctx context.Context, b Birth) error
}

// Birth is the founding of a thing.
type Birth struct {
	ID      string    // unique; earlier births sort first
	Founder string    // name of the member that founded it
	At      time.Time // by the clock of the founder, to the millisecond
}

// formationKeys is the beginning of the own keys in which nodes publish what they know.
const formationKeys = "formation/"

// foundRetry is the pause after a Found or a write that failed.
const foundRetry = time.Second

// Form takes part in the founding of a thing, until ctx, the node or the Formation ends. The part of this node stays in its record
// after that, so that no other birth comes about behind its back.
func (n *Node) Form(ctx context.Context, c FormationConfig) (*Formation, error) {
	if err := c.validate(n.Name()); err != nil {
		return nil, fmt.Errorf("gossip: formation: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	f := &Formation{node: n, config: c, key: formationKeys + c.Name, stop: stop, ended: make(chan struct{}),
		reason: "it has just started", changed: make(chan struct{})}
	go f.run(ctx)
	return f, nil
}

func (c FormationConfig) validate(self string) error {
	switch {
	case checkProtocol(c.Name) != nil:
		return fmt.Errorf("name %q: want 1 to 64 bytes of printable text", c.Name)
	case c.Found == nil:
		return errors.New("no Found is given, which is required")
	case (len(c.Founders) == 0) == (c.Expect == 0):
		return errors.New("give either Founders or Expect")
	case c.Expect < 0 || c.Expect > 255:
		return fmt.Errorf("expect is %d, want 1 to 255", c.Expect)
	case c.Known != "":
		if _, err := parseBirth(c.Known); err != nil {
			return err
		}
	}
	if sorted := slices.Sorted(slices.Values(c.Founders)); len(slices.Compact(sorted)) != len(c.Founders) {
		return fmt.Errorf("founders %q: a name is given twice", c.Founders)
	}
	return nil
}

// Close ends the part of this node; it does not withdraw what the node has published.
func (f *Formation) Close() {
	f.stop()
	<-f.ended
}

// Wait returns the birth that this node belongs to as soon as there is one. Its error names what is missing.
func (f *Formation) Wait(ctx context.Context) (Birth, error) {
	for {
		f.mu.Lock()
		birth, reason, changed := f.birth, f.reason, f.changed
		f.mu.Unlock()
		if birth.ID != "" {
			return birth, nil
		}
		select {
		case <-changed:
		case <-f.ended:
			return Birth{}, fmt.Errorf("gossip: formation %q has ended: %s", f.config.Name, reason)
		case <-ctx.Done():
			return Birth{}, fmt.Errorf("gossip: formation %q: %s: %w", f.config.Name, reason, context.Cause(ctx))
		}
	}
}

// Members returns the members whose records state that they belong to the birth of this node, by name, itself included; nil before the birth. Only
// they have consented to become part of what was founded.
func (f *Formation) Members() []*Member { return f.membersOf(f.node.View()) }

func (f *Formation) membersOf(v *View) []*Member {
	birth, ok := f.ownBirth()
	if !ok {
		return nil
	}
	var all []*Member
	for m := range v.All() {
		if c, ok := claimOf(m, f.key); ok && c.Birth == birth.ID && m.Status != Left {
			all = append(all, m)
		}
	}
	return all
}

// Watch yields what Members returns, now and after each change, until ctx or the node ends.
func (f *Formation) Watch(ctx context.Context) iter.Seq[[]*Member] {
	return func(yield func([]*Member) bool) {
		var last []*Member
		first := true
		for v := range f.node.eachView(ctx) {
			now := f.membersOf(v)
			if !first && slices.Equal(last, now) {
				continue
			}
			if last, first = now, false; !yield(now) {
				return
			}
		}
	}
}

// Conflict returns an error that names the births that other members belong to, nil if there is one birth.
func (f *Formation) Conflict() error {
	own, _ := f.ownBirth()
	count := map[string]int{}
	for m := range f.node.View().All() {
		if c, ok := claimOf(m, f.key); ok && c.Birth != "" && m.Status != Left {
			count[c.Birth]++
		}
	}
	if len(count) < 2 {
		return nil
	}
	var all []string
	for _, id := range slices.Sorted(maps.Keys(count)) {
		all = append(all, fmt.Sprintf("%s (%d members)", id, count[id]))
	}
	return fmt.Errorf("gossip: formation %q: there are %d births: %s; this node belongs to %q; clear the storage of those that are to give up, and restart them",
		f.config.Name, len(count), strings.Join(all, ", "), own.ID)
}

func (f *Formation) ownBirth() (Birth, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.birth, f.birth.ID != ""
}

// run follows the views and does what the rule asks for. Without a change of the view and without a failure it does nothing: a step reads the claims of
// all members.
func (f *Formation) run(ctx context.Context) {
	defer close(f.ended)
	retry := time.NewTimer(foundRetry)
	defer retry.Stop()
	for {
		next := f.node.watch.nextChanged()
		if f.stepOnce(ctx) {
			retry.Stop()
		} else {
			retry.Reset(foundRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-f.node.done:
			return
		case <-next:
		case <-retry.C:
		}
	}
}

// stepOnce does what follows from the present view. False if that failed, or waits for the pause after an earlier failure.
func (f *Formation) stepOnce(ctx context.Context) bool {
	s := f.readSituation(f.node.View())
	d := s.decide(f.config, newBirthID)
	if d.found {
		if time.Now().Before(f.foundAt) {
			return false
		}
		birth, err := parseBirth(d.claim.Birth)
		if err == nil {
			err = f.found(ctx, birth)
		}
		if err != nil {
			f.foundAt = time.Now().Add(foundRetry)
			f.setState(Birth{}, fmt.Sprintf("this node could not found it: %v", err))
			return false
		}
	}
	if (!s.takesPart || !d.claim.equal(s.own)) && !f.publishClaim(ctx, d.claim) {
		return false
	}
	birth, _ := parseBirth(d.claim.Birth)
	f.setState(birth, d.reason)
	return true
}

// found calls the function of the program. A panic of it is logged, and is an error as any other.
func (f *Formation) found(ctx context.Context, b Birth) (err error) {
	defer func() {
		if r := recover(); r != nil {
			f.node.log.Error("the function that founds a thing panicked, and is tried again", "formation", f.config.Name, "error", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f.config.Found(ctx, b)
}

// publishClaim writes to the own record what this node knows, and reports whether that succeeded.
func (f *Formation) publishClaim(ctx context.Context, c formationClaim) bool {
	value, err := json.Marshal(c)
	if err == nil {
		err = f.node.Set(ctx, f.key, string(value))
	}
	if err != nil && !errors.Is(err, ErrNotDurable) {
		f.setState(Birth{}, err.Error())
		return false
	}
	return true
}

// setState publishes the state of the formation to Wait.
func (f *Formation) setState(b Birth, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.birth.ID == "" {
		f.birth = b
	}
	f.reason = reason
	close(f.changed)
	f.changed = make(chan struct{})
}

// readSituation reads what the members publish.
func (f *Formation) readSituation(v *View) situation {
	s := situation{self: f.node.Name(), peers: map[string]peerClaim{}}
	for m := range v.All() {
		c, ok := claimOf(m, f.key)
		if m.Name == s.self {
			s.own, s.takesPart = c, ok
		} else if ok && m.Status != Left {
			s.peers[m.Name] = peerClaim{c, m.Up()}
		}
	}
	return s
}

// claimOf returns what a member publishes. A claim that cannot be read counts as none.
func claimOf(m *Member, key string) (formationClaim, bool) {
	var c formationClaim
	value, ok := m.Get(key)
	if !ok || json.Unmarshal([]byte(value), &c) != nil {
		return formationClaim{}, false
	}
	if _, err := parseBirth(c.Birth); c.Birth != "" && err != nil {
		return formationClaim{}, false
	}
	return c, true
}

// newBirthID returns the ID of a birth at a moment: milliseconds since 1970, a random number, and the founder.
func newBirthID(founder string) string {
	return fmt.Sprintf("%013d-%016x-%s", time.Now().UnixMilli(), rand.Uint64(), founder)
}

func parseBirth(id string) (Birth, error) {
	at, rest, _ := strings.Cut(id, "-")
	random, founder, ok := strings.Cut(rest, "-")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !ok || len(random) != 16 || founder == "" || len(at) != 13 {
		return Birth{}, fmt.Errorf("%q is not the ID of a birth", id)
	}
	return Birth{ID: id, Founder: founder, At: time.UnixMilli(ms)}, nil
}
