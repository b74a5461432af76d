package conntrack

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
)

func TestCloseEndsConnectionsAndDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		tracker := New(func(ctx context.Context, _, addr string) (net.Conn, error) {
			if addr == "silent" {
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			return here, nil
		})
		if _, err := tracker.Dial(t.Context(), "tcp", "open"); err != nil {
			t.Fatal(err)
		}
		dialled := make(chan error)
		go func() {
			_, err := tracker.Dial(t.Context(), "tcp", "silent")
			dialled <- err
		}()
		synctest.Wait()
		go tracker.Close()
		if err := <-dialled; !errors.Is(err, context.Canceled) {
			t.Errorf("the dial ended with %v", err)
		}
		if _, err := there.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open")
		}
		synctest.Wait()
		if _, err := tracker.Dial(t.Context(), "tcp", "open"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a dial after that: %v", err)
		}
	})
}

func TestAConnectionThatIsOpenedTooLateIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		tracker := New(func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return here, nil // in the same moment
		})
		dialled := make(chan error)
		go func() {
			_, err := tracker.Dial(t.Context(), "tcp", "")
			dialled <- err
		}()
		synctest.Wait()
		go tracker.Close()
		if err := <-dialled; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the dial ended with %v", err)
		}
		if _, err := there.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open")
		}
	})
}
