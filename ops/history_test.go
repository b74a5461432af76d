package ops

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/cluster"
)

// add adds n events of a kind.
func (h *history) addMany(n int, kind cluster.EventKind) {
	for range n {
		h.add(cluster.Event{Kind: kind})
	}
}

func ids(events []Event) (all []uint64) {
	for _, e := range events {
		all = append(all, e.ID)
	}
	return all
}

func TestAReaderGoesOnWhereItWas(t *testing.T) {
	var h history
	h.init(time.UnixMilli(1000))
	if events, missed, _ := h.after(0, 10); len(events) != 0 || missed != 0 || h.end() != 1000 {
		t.Errorf("without events: %v, %d missed", events, missed)
	}
	h.addMany(5, cluster.EventReloaded)
	for _, c := range []struct {
		after uint64
		n     int
		want  []uint64
	}{
		{0, 10, []uint64{1000, 1001, 1002, 1003, 1004}}, // of an earlier life
		{1001, 10, []uint64{1002, 1003, 1004}},
		{1001, 2, []uint64{1002, 1003}},
		{1004, 10, nil},
		{5000, 10, nil}, // made up
	} {
		events, missed, _ := h.after(c.after, c.n)
		if diff := cmp.Diff(c.want, ids(events)); diff != "" || missed != 0 {
			t.Errorf("after %d: %d missed (-want +got)\n%s", c.after, missed, diff)
		}
	}
	if diff := cmp.Diff([]uint64{1003, 1004}, ids(h.newest(2))); diff != "" {
		t.Errorf("newest (-want +got)\n%s", diff)
	}
}

func TestAReaderThatIsSlowGetsTheNumberOfEventsThatItMissed(t *testing.T) {
	var h history
	h.init(time.UnixMilli(1000))
	h.addMany(keptEvents+10, cluster.EventReloaded)
	events, missed, _ := h.after(1001, 1)
	if missed != 8 || len(events) != 1 || events[0].ID != 1010 { // 1002 to 1009
		t.Errorf("%v, %d missed, want 1010 and 8 missed", ids(events), missed)
	}
	if events, missed, _ := h.after(1009, 1); missed != 0 || events[0].ID != 1010 {
		t.Errorf("%v, %d missed, want 1010 and none missed", ids(events), missed)
	}
	if got := h.newest(2 * keptEvents); len(got) != keptEvents || got[0].ID != 1010 {
		t.Errorf("newest has %d events from %d", len(got), got[0].ID)
	}
}

func TestAReaderIsWokenByTheNextEvent(t *testing.T) {
	var h history
	h.init(time.UnixMilli(1000))
	_, _, more := h.after(0, 1)
	select {
	case <-more:
		t.Fatal("woken without an event")
	default:
	}
	h.addMany(1, cluster.EventReloaded)
	<-more
	if events, _, _ := h.after(0, 1); len(events) != 1 {
		t.Errorf("events = %v", events)
	}
}
