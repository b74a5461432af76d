package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
)

// running starts a connector of the agent on a free port of 127.0.0.1, with a key made of one byte.
func running(t *testing.T, kind carrierKind, node string, key byte) carrier {
	t.Helper()
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{key}, 32))
	text := fmt.Sprintf("cluster: lab\nnode: {name: %s, listen: \"127.0.0.1:0\", keys: [%s]}\ntopologies: {a: {strategy: local, connector: %s}}\n",
		node, secret, kind.name)
	config, err := cluster.Parse(node, []byte(text), vocabulary())
	if err != nil {
		t.Fatal(err)
	}
	c, err := kind.make(config, false, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(deadline); ; <-tick.C {
		if _, err = c.List(t.Context()); err == nil {
			return c
		}
		if time.Now().After(late) {
			t.Fatalf("%s does not listen: %v", node, err)
		}
	}
}

func TestEveryConnectorHonoursTheKeysOfItsFile(t *testing.T) {
	for _, kind := range carriers {
		t.Run(kind.name, func(t *testing.T) {
			a, same, other := running(t, kind, "a", 1), running(t, kind, "same", 1), running(t, kind, "other", 2)
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			if err := other.Connect(ctx, a.Self()[0]); err == nil {
				t.Error("a node with another key came in")
			}
			if err := same.Connect(ctx, a.Self()[0]); err != nil {
				t.Errorf("Connect with the same key = %v", err)
			}
		})
	}
}
