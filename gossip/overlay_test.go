package gossip

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/gossip/transport"
)

func TestTheOverlayHasEveryLinkThatBothEndsPublishOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := cluster(t, transport.NewMemory(), "a", "b", "c")
		settle(10 * time.Second)
		for _, n := range nodes {
			got, err := n.Overlay(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Edge{{"a", "b"}, {"a", "c"}, {"b", "c"}}, got); diff != "" {
				t.Errorf("overlay as %s knows it (-want +got)\n%s", n.Name(), diff)
			}
		}
		nodes[0].Stop()
		if _, err := nodes[0].Overlay(context.Background()); !errors.Is(err, ErrStopped) {
			t.Errorf("overlay of a node that has stopped: %v", err)
		}
	})
}

func TestTheSizeOfTheSharedMapIsWhatItCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := cluster(t, transport.NewMemory(), "a", "b")
		shared := nodes[0].Shared()
		for _, key := range []string{"x", "y"} {
			if err := shared.Set(t.Context(), key, "value"); err != nil {
				t.Fatal(err)
			}
		}
		before, err := nodes[0].Stats(t.Context())
		if err != nil || before.SharedValues != 2 || before.SharedBytes <= 12 || before.SharedLimit <= before.SharedBytes {
			t.Errorf("size = %+v, %v", before, err)
		}
		if err := shared.Delete(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		after, err := nodes[0].Stats(t.Context())
		if err != nil || after.SharedValues != 1 || after.SharedBytes >= before.SharedBytes || after.TombstoneBytes <= before.TombstoneBytes {
			t.Errorf("size after a delete = %+v, before %+v, %v", after, before, err)
		}
	})
}
