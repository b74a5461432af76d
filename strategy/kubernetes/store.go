package kubernetes

import (
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxObjects bounds how many slices or pods of a namespace are kept.
const maxObjects = 50_000

var errTooMany = fmt.Errorf("more than %d objects; narrow the selector", maxObjects)

// objectStore is what a reflector fills: the objects of one namespace, read.
type objectStore struct {
	config  Config
	changed func(complete bool) // called after each change, without the lock

	mu       sync.Mutex
	items    map[string]item
	overflow bool // some were left out
}

func newStore(c Config, changed func(complete bool)) *objectStore {
	return &objectStore{config: c, changed: changed, items: make(map[string]item)}
}

// Add takes a new object.
func (s *objectStore) Add(obj any) error { return s.put(obj) }

// Update takes an object that changed.
func (s *objectStore) Update(obj any) error { return s.put(obj) }

func (s *objectStore) put(obj any) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("an object of type %T", obj)
	}
	it := s.config.readObject(u)
	s.mu.Lock()
	if _, known := s.items[keyOf(u)]; known || len(s.items) < maxObjects {
		s.items[keyOf(u)] = it
	} else {
		s.overflow = true
	}
	s.mu.Unlock()
	s.changed(false)
	return nil
}

// Delete drops an object.
func (s *objectStore) Delete(obj any) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("an object of type %T", obj)
	}
	s.mu.Lock()
	delete(s.items, keyOf(u))
	s.mu.Unlock()
	s.changed(false)
	return nil
}

// Replace takes a complete list.
func (s *objectStore) Replace(list []any, _ string) error {
	items := make(map[string]item, min(len(list), maxObjects))
	overflow := false
	for _, obj := range list {
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("an object of type %T", obj)
		}
		if len(items) >= maxObjects {
			overflow = true
			break
		}
		items[keyOf(u)] = s.config.readObject(u)
	}
	s.mu.Lock()
	s.items, s.overflow = items, overflow
	s.mu.Unlock()
	s.changed(true)
	return nil
}

// Resync does nothing: there is nothing between the store and its reader.
func (s *objectStore) Resync() error { return nil }

// allCandidates returns all candidates, and why some are unknown.
func (s *objectStore) allCandidates() ([]*candidate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*candidate
	var bad []error
	for _, it := range s.items {
		all = append(all, it.candidates...)
		if it.err != nil {
			bad = append(bad, it.err)
		}
	}
	if s.overflow {
		bad = append(bad, errTooMany)
	}
	return all, firstOf(bad)
}

func keyOf(u *unstructured.Unstructured) string { return u.GetNamespace() + "/" + u.GetName() }

// maxErrors bounds how many errors of one kind are reported at a time.
const maxErrors = 5

// firstOf joins the first errors and counts the others.
func firstOf(errs []error) error {
	if len(errs) <= maxErrors {
		return errors.Join(errs...)
	}
	return fmt.Errorf("%w\nand %d more", errors.Join(errs[:maxErrors]...), len(errs)-maxErrors)
}
