package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/internal/admin"
)

const (
	soakWriteEvery = 50 * time.Millisecond
	soakShared     = 40 // keys of the shared map in use at a time
	soakOwn        = 2  // keys of each node's own in use at a time
	soakDeletes    = 8  // every so many writes delete
)

// entry is a key and what it must be in the end. Two writes of it are never under way at once, so the later one is the newer one.
type entry struct {
	host    int // whose own key it is; 0: of the shared map
	key     string
	value   string // the newest that was acknowledged; "": it is not there
	last    string // who acknowledged it, and when
	next    string // is being written, or was with an unknown result
	unknown bool   // whether next was written
	deletes bool   // what is being written is to be a delete
}

// may reports whether a value of the key is right.
func (e *entry) may(value string) bool { return value == e.value || e.unknown && value == e.next }

// ledger holds what nodes were asked to write and what they acknowledged.
type ledger struct {
	mu      sync.Mutex
	random  *rand.Rand
	idle    []*entry
	retired []*entry // those of which a write is unknown; another key takes the place of each
	busy    int      // entries that are being written
	writes  int      // begun
	acked   int
	deleted int            // of the acknowledged
	late    int            // times all entries were being written
	errors  map[string]int // other than "no agent runs there"
	refused int            // no agent ran there
}

func newLedger(hosts int, seed uint64) *ledger {
	l := &ledger{random: rand.New(rand.NewPCG(seed, 1)), errors: map[string]int{}}
	for i := range soakShared {
		l.idle = append(l.idle, &entry{key: fmt.Sprintf("s%d", i)})
	}
	for i := 1; i <= hosts; i++ {
		for k := range soakOwn {
			l.idle = append(l.idle, &entry{host: i, key: fmt.Sprintf("o%d", k)})
		}
	}
	return l
}

// begin picks a key, a new value for it and the node that shall write it; nil: all keys are being written.
func (l *ledger) begin() (e *entry, host int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) == 0 {
		l.late++
		return nil, 0
	}
	i := l.random.IntN(len(l.idle))
	e = l.idle[i]
	l.idle = slices.Delete(l.idle, i, i+1)
	l.busy++
	l.writes++
	e.next, e.deletes = fmt.Sprint(l.writes), l.writes%soakDeletes == 0
	if e.host != 0 {
		return e, e.host
	}
	return e, 1 + l.random.IntN(soakHosts)
}

// end notes how a write went.
func (l *ledger) end(e *entry, host int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	switch {
	case err == nil:
		l.acked++
		if e.next == "" {
			l.deleted++
		}
		e.value, e.last = e.next, name(host)+" at "+time.Now().UTC().Format("15:04:05.000")
	case errors.Is(err, admin.ErrNoAgent):
		l.refused++
	default:
		l.errors[err.Error()]++
		e.unknown = true
		l.retired = append(l.retired, e)
		e = &entry{host: e.host, key: fmt.Sprintf("%s.%d", strings.SplitN(e.key, ".", 2)[0], l.writes)}
	}
	l.idle = append(l.idle, e)
}

// difference returns what of the data of a node is not as it must be; "": nothing. No write is under way.
func (l *ledger) difference(got state) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var wrong []string
	for _, e := range slices.Concat(l.idle, l.retired) {
		of, value := "shared", got.Shared[e.key]
		if e.host != 0 {
			of, value = name(e.host), got.Own[name(e.host)][e.key]
		}
		if !e.may(value) {
			wrong = append(wrong, fmt.Sprintf("%s %s is %q, want %q, acknowledged by %s", of, e.key, value, e.value, e.last))
		}
	}
	slices.Sort(wrong)
	return strings.Join(wrong, "\n")
}

// logCounts logs how the writes went.
func (l *ledger) logCounts(t *testing.T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%d writes, %d acknowledged, %d of them deletes; no agent ran for %d; %d unknown; %d times every key was being written", l.writes, l.acked, l.deleted, l.refused, len(l.retired), l.late)
	for _, text := range slices.Sorted(maps.Keys(l.errors)) {
		t.Logf("%d times: %s", l.errors[text], text)
	}
	if l.acked < l.writes/2 || l.deleted == 0 {
		t.Error("too few writes were acknowledged, so this shows little")
	}
}

// write has nodes write without a pause until ctx is done, and returns when none does any more.
func (s *soak) write(ctx context.Context) {
	var writes sync.WaitGroup
	defer writes.Wait()
	tick := time.NewTicker(soakWriteEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if e, host := s.ledger.begin(); e != nil {
			writes.Go(func() { s.ledger.end(e, host, s.perform(context.WithoutCancel(ctx), e, host)) })
		}
	}
}

// perform has a node write. A delete of a shared key that the node has not heard of does nothing, so a value is written there.
func (s *soak) perform(ctx context.Context, e *entry, host int) error {
	space := "keys"
	if e.host == 0 {
		space = "shared"
		if e.deletes {
			var there pair
			err := s.call(ctx, host, http.MethodGet, "shared/"+url.PathEscape(e.key), nil, &there)
			if errors.Is(err, admin.ErrNoAgent) {
				return err
			}
			e.deletes = there.Value != "" && there.Value == e.value
		}
	}
	if e.deletes {
		e.next = ""
		return s.call(ctx, host, http.MethodDelete, space+"/"+url.PathEscape(e.key), nil, nil)
	}
	return s.call(ctx, host, http.MethodPut, space+"/"+url.PathEscape(e.key), valueOf(e.next), nil)
}
