package fabric

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// stream opens one from member 0 to member 1.
func stream(t *testing.T, f *Fabric) (here, there net.Conn) {
	t.Helper()
	l := f.Listen(1)
	here, err := f.Dial(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return here, there
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// receive reads so many bytes and returns them, and when they were there.
func receive(t *testing.T, c net.Conn, n int) (string, time.Time) {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return string(b), time.Now()
}

func TestAStreamIsOrderedAndEndsAfterWhatWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(2, 1)
		f.SetLoss(0.3)
		here, there := stream(t, f)
		for _, s := range []string{"a", "b", "c", "d", "e", "f"} {
			send(t, here, s)
		}
		_ = here.Close()
		if b, err := io.ReadAll(there); string(b) != "abcdef" || err != nil {
			t.Errorf("read %q, %v; want all, in order, and the end", b, err)
		}
	})
}

func TestACutHoldsBackAStreamAndDropsADatagram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(2, 1)
		here, there := stream(t, f)
		datagrams := 0
		f.Receive(1, func(int, []byte) { datagrams++ })
		f.SetGroup(1, 1)
		send(t, here, "late")
		f.Send(0, 1, []byte("lost"))
		time.Sleep(time.Second)
		f.SetGroup(1, 0)
		healed := time.Now()
		if s, at := receive(t, there, 4); s != "late" || at.Sub(healed) > 2*time.Second {
			t.Errorf("read %q %v after the heal", s, at.Sub(healed))
		}
		if datagrams != 0 {
			t.Error("a datagram passed a cut")
		}
	})
}

func TestACrashResetsStreamsAndRefusesNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(2, 1)
		here, _ := stream(t, f)
		f.Crash(1)
		if _, err := here.Read(make([]byte, 1)); !errors.Is(err, errReset) {
			t.Errorf("read: %v, want a reset", err)
		}
		if _, err := f.Dial(t.Context(), 0, 1); !errors.Is(err, ErrRefused) {
			t.Errorf("dial: %v, want a refusal", err)
		}
	})
}

func TestACrashBehindACutIsSeenAfterTheHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(2, 1)
		here, _ := stream(t, f)
		f.SetGroup(1, 1)
		f.Crash(1)
		send(t, here, "is a host there?")
		time.Sleep(time.Second)
		f.SetGroup(1, 0)
		if _, err := here.Read(make([]byte, 1)); !errors.Is(err, errReset) {
			t.Errorf("read: %v, want a reset", err)
		}
	})
}

func TestAVanishedHostIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(2, 1)
		here, _ := stream(t, f)
		f.Vanish(1)
		_ = here.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := here.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v, want nothing but the deadline", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := f.Dial(ctx, 0, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial: %v, want nothing but the deadline", err)
		}
	})
}

func TestAFrozenMemberNeitherSendsNorReceives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(2, 1)
		here, there := stream(t, f)
		f.Freeze(1, 3*time.Second)
		start := time.Now()
		send(t, here, "x")
		if _, at := receive(t, there, 1); at.Sub(start) < 3*time.Second {
			t.Errorf("received after %v, want after the freeze", at.Sub(start))
		}
		f.Freeze(1, 3*time.Second)
		start = time.Now()
		send(t, there, "y")
		if _, at := receive(t, here, 1); at.Sub(start) < 3*time.Second {
			t.Errorf("sent after %v, want after the freeze", at.Sub(start))
		}
	})
}

func TestCountersFollowTheFormula(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(2, 1)
		here, _ := stream(t, f)
		send(t, here, string(make([]byte, segmentSize+1)))
		f.Send(1, 0, make([]byte, 10))
		got := f.Total()
		if want := (Counters{1, 10, 1, 2, segmentSize + 1}); got != want {
			t.Errorf("Total() = %+v, want %+v", got, want)
		}
		if got, want := got.Wire(), uint64(segmentSize+1+10+28+2*80+7*40); got != want {
			t.Errorf("Wire() = %d, want %d", got, want)
		}
	})
}

func TestALineLimitsWhatAMemberSendsAndReceives(t *testing.T) {
	const size, gigabit = 12_500_000, 1e9 // a tenth of a second
	for name, senders := range map[string][]int{"one sends": {1}, "two send to one": {1, 2}} {
		synctest.Test(t, func(t *testing.T) {
			f := New(3, 1)
			f.SetBandwidth(gigabit)
			l, start := f.Listen(0), time.Now()
			var took time.Duration
			done := make(chan error, len(senders))
			for _, s := range senders {
				here, err := f.Dial(t.Context(), s, 0)
				if err != nil {
					t.Fatal(err)
				}
				there, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					_, err := here.Write(make([]byte, size))
					_ = here.Close()
					done <- err
				}()
				go func() { _, err := io.Copy(io.Discard, there); done <- err }()
			}
			for range 2 * len(senders) {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			took = time.Since(start)
			if want := time.Duration(len(senders)) * 100 * time.Millisecond; took < want || took > want*11/10 {
				t.Errorf("%s: took %v, want %v and a few headers", name, took, want)
			}
		})
	}
}

func TestABusyLineLetsAPacketOfAnotherStreamPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(2, 1)
		f.SetBandwidth(1e9)
		large, other := stream(t, f)
		go func() { _, _ = io.Copy(io.Discard, other) }()
		go func() {
			_, _ = large.Write(make([]byte, 12_500_000))
			_ = large.Close()
		}()
		time.Sleep(20 * time.Millisecond)
		start := time.Now()
		var took time.Duration
		f.Receive(1, func(int, []byte) { took = time.Since(start) })
		f.Send(0, 1, []byte("x"))
		time.Sleep(200 * time.Millisecond)
		if took == 0 || took > 5*time.Millisecond {
			t.Errorf("a datagram took %v beside a large write", took)
		}
	})
}

func TestAWriteWaitsForItsReaderUntilItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(2, 1)
		here, there := stream(t, f)
		_ = here.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := here.Write(make([]byte, 2*window))
		if n != window || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write() = %d, %v; want a full window and the deadline", n, err)
		}
		_ = here.SetWriteDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { _, _ = io.ReadFull(there, make([]byte, window)) })
		if _, err := here.Write(make([]byte, 1)); err != nil {
			t.Errorf("after the other end has read: %v", err)
		}
		time.AfterFunc(time.Second, func() { _ = here.Close() })
		if _, err := here.Write(make([]byte, 2*window)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a write on a stream that is closed meanwhile: %v", err)
		}
	})
}
