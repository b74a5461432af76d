package simulation

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestFourThousandMembersForm(t *testing.T) {
	if !*large {
		t.Skip("takes half an hour and 18 GB: run with -large -timeout 2h")
	}
	const n = 4000
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	w, _ := formCluster(t, n, 1)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d formed after %v; %s per member until then; %d B of memory per member and member known", n, w.Now, kilobytesPer(n, w.Count.Bytes), m.HeapAlloc/n/n)
	runtime.KeepAlive(w)
}
