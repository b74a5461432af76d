package command

import (
	"strings"
	"testing"

	"github.com/goconvoke/convoke/ops"
)

func TestAnEarlierSessionOfAMemberIsShownAsSuch(t *testing.T) {
	var out strings.Builder
	sessions := []ops.Session{{ID: "1", Member: "b", Old: true, Holds: map[string]int{"orders": 2}}, {ID: "5", Member: "b"}}
	if err := printQuorum(&out, ops.QuorumStatus{Member: "a", Sessions: sessions}); err != nil {
		t.Fatal(err)
	}
	want := "member b holds 2 shards, by an earlier session that ends with its lease member b holds 0 shards"
	if got := strings.Join(strings.Fields(out.String()), " "); !strings.HasSuffix(got, want) {
		t.Errorf("%q, want it to end with %q", got, want)
	}
}
