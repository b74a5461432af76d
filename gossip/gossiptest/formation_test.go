package gossiptest

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestFourThousandMembersForm(t *testing.T) {
	if !*large {
		t.Skip("takes minutes and 8 GB: run with -large")
	}
	const n = 4000
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	w, _ := form(t, n, 1)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d formed after %v; %s per member until then; %d B of memory per member and member known", n, w.Now, per(n, w.Count.Bytes), m.HeapAlloc/n/n)
	runtime.KeepAlive(w)
}
