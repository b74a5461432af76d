// Package keylock has locks by key: what changes one key runs one after the other, and other keys do not wait.
package keylock

import (
	"context"
	"sync"
)

// Locks is a lock for each key in use. The zero value is ready. It keeps nothing of a key that is neither locked nor waited for.
type Locks struct {
	mu    sync.Mutex
	locks map[string]*lock
}

type lock struct {
	held  chan struct{} // holds a value while the lock is taken
	users int           // goroutines that hold the lock or wait for it
}

// Lock waits for the lock of a key, and takes one that is free under any context. It returns the cause of ctx if that ends first; the lock is
// not taken then.
func (k *Locks) Lock(ctx context.Context, key string) error {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*lock{}
	}
	l := k.locks[key]
	if l == nil {
		l = &lock{held: make(chan struct{}, 1)}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()
	select {
	case l.held <- struct{}{}:
		return nil
	default:
	}
	select {
	case l.held <- struct{}{}:
		return nil
	case <-ctx.Done():
		k.release(key)
		return context.Cause(ctx)
	}
}

// Unlock gives back the lock of a key, which must be held.
func (k *Locks) Unlock(key string) {
	k.mu.Lock()
	<-k.locks[key].held
	k.mu.Unlock()
	k.release(key)
}

// release forgets the lock of a key that nothing uses any more.
func (k *Locks) release(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locks[key].users--; k.locks[key].users == 0 {
		delete(k.locks, key)
	}
}
