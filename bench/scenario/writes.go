package scenario

import "time"

// writes follows single writes until the last member has each of them. A member has a write as soon as it sees that value of its
// writer, or a newer one.
type writes struct {
	open map[int][]*write // by writer, oldest first
	took []float64        // from each write that has arrived everywhere until then, in seconds
	late int              // how many of those were late
	all  int
}

// write is a value of a member on its way to the others.
type write struct {
	value   uint64
	at      time.Time // when it was made, or when the way to all was open again
	missing int       // members that do not have it
	late    bool      // it was before members were cut off
}

// beginWrite enters a write that so many members are to see.
func (ws *writes) beginWrite(writer int, value uint64, others int) {
	if ws.open == nil {
		ws.open = make(map[int][]*write)
	}
	ws.open[writer] = append(ws.open[writer], &write{value: value, at: time.Now(), missing: others})
	ws.all++
}

// noteArrival notes that a member which had the old value of a writer has the new one.
func (ws *writes) noteArrival(writer int, had, has uint64) {
	rest := ws.open[writer][:0]
	for _, w := range ws.open[writer] {
		if had < w.value && w.value <= has {
			w.missing--
		}
		if w.missing > 0 {
			rest = append(rest, w)
			continue
		}
		took := time.Since(w.at)
		ws.took = append(ws.took, took.Seconds())
		if w.late || took > lateUpdate {
			ws.late++
		}
	}
	if len(rest) == 0 {
		delete(ws.open, writer)
		return
	}
	ws.open[writer] = rest
}

// healed starts the clock of writes again that could not arrive since members were cut off.
func (ws *writes) healed(cut time.Time) {
	for _, open := range ws.open {
		for _, w := range open {
			w.late = w.late || cut.Sub(w.at) > lateUpdate
			w.at = time.Now()
		}
	}
}

// unfinished returns how many writes have not arrived everywhere, and how many values of them members lack: of each writer the
// newest counts alone.
func (ws *writes) unfinished() (writes, values int) {
	for _, open := range ws.open {
		writes += len(open)
		values += open[len(open)-1].missing
	}
	return writes, values
}
