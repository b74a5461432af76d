// Package kubernetestest is a working API server for tests, in this process: it keeps EndpointSlices and
// pods, lists them in pages, watches them with bookmarks, checks tokens and permissions, and fails on
// demand. It has no other part of Kubernetes.
package kubernetestest

import (
	"encoding/pem"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// Token is the token that a new server accepts.
const Token = "token-1"

// The resources that a server keeps.
const (
	Slices = "endpointslices"
	Pods   = "pods"
)

// Object is an object of the API as JSON decodes it.
type Object = map[string]any

// Server is an API server. Its methods may be called from any goroutine.
type Server struct {
	tb   testing.TB
	http *httptest.Server

	mu       sync.Mutex
	objects  map[objectID]Object
	history  []change // the oldest first
	version  int
	forgot   int // changes up to this version are no longer known
	tokens   map[string]bool
	denied   map[string]bool // namespaces
	fault    http.HandlerFunc
	frozen   bool          // no watch that is open hears of anything
	requests []string      // methods and URLs
	moved    chan struct{} // closed at the next change of any of this
	cut      chan struct{} // closed to end the watches that are open
}

// objectID names an object.
type objectID struct{ resource, namespace, name string }

// change is one event of a watch.
type change struct {
	id      objectID
	version int
	kind    string // ADDED, MODIFIED, DELETED
	object  Object
}

// New starts a server that ends with the test. It listens on l; nil means a free port of the loopback interface.
func New(tb testing.TB, l net.Listener) *Server {
	tb.Helper()
	s := &Server{
		tb:      tb,
		objects: make(map[objectID]Object),
		tokens:  map[string]bool{Token: true},
		denied:  make(map[string]bool),
		moved:   make(chan struct{}),
		cut:     make(chan struct{}),
		version: 1,
	}
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			tb.Fatal(err)
		}
	}
	s.http = &httptest.Server{Listener: l, Config: &http.Server{Handler: s}, EnableHTTP2: true}
	s.http.Config.ErrorLog = quiet
	s.http.StartTLS()
	tb.Cleanup(func() {
		s.CutWatches()
		s.http.CloseClientConnections()
		s.http.Close()
	})
	return s
}

// URL returns the address of the server.
func (s *Server) URL() string { return s.http.URL }

// CA returns the certificate of the server, in PEM.
func (s *Server) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
}

// ServiceAccount returns a directory with the files of a service account: token, ca.crt, namespace.
func (s *Server) ServiceAccount(namespace string) string {
	s.tb.Helper()
	dir := s.tb.TempDir()
	for name, content := range map[string]string{"token": Token, "ca.crt": string(s.CA()), "namespace": namespace} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			s.tb.Fatal(err)
		}
	}
	return dir
}

// Put adds an object or replaces the one of that name. Its metadata is completed.
func (s *Server) Put(resource, namespace, name string, o Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := objectID{resource, namespace, name}
	kind := "ADDED"
	if _, ok := s.objects[k]; ok {
		kind = "MODIFIED"
	}
	s.version++
	o = s.withMetadata(k, o)
	s.objects[k] = o
	s.notifyLocked(change{k, s.version, kind, o})
}

// Delete removes an object.
func (s *Server) Delete(resource, namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleteLocked(objectID{resource, namespace, name})
}

// DeleteAll removes every object.
func (s *Server) DeleteAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.objects {
		s.deleteLocked(k)
	}
}

func (s *Server) deleteLocked(k objectID) {
	o, ok := s.objects[k]
	if !ok {
		return
	}
	s.version++
	delete(s.objects, k)
	s.notifyLocked(change{k, s.version, "DELETED", s.withMetadata(k, o)})
}

// withMetadata returns a copy of an object with the metadata that a server sets.
func (s *Server) withMetadata(k objectID, o Object) Object {
	o = maps.Clone(o)
	if o["kind"] == nil {
		o["apiVersion"], o["kind"] = kinds[k.resource].apiVersion, kinds[k.resource].kind
	}
	meta, _ := o["metadata"].(Object)
	if meta = maps.Clone(meta); meta == nil {
		meta = make(Object)
	}
	meta["name"], meta["namespace"], meta["resourceVersion"] = k.name, k.namespace, strconv.Itoa(s.version)
	if meta["uid"] == nil {
		meta["uid"] = "uid-of-" + k.namespace + "-" + k.name
	}
	o["metadata"] = meta
	return o
}

// notifyLocked sends a change to the watches.
func (s *Server) notifyLocked(c change) {
	s.history = append(s.history, c)
	s.moveLocked()
}

func (s *Server) moveLocked() {
	close(s.moved)
	s.moved = make(chan struct{})
}

// Forget makes the server forget all changes so far: a watch that begins before now is answered with 410.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.forgot, s.history = s.version, nil
	s.moveLocked()
}

// CutWatches ends the watches that are open, as a server that is restarted does.
func (s *Server) CutWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

// Freeze keeps the watches that are open from hearing anything, without an end, until Freeze(false).
// Requests are answered.
func (s *Server) Freeze(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = on
	s.moveLocked()
}

// Tokens sets which tokens are accepted; others get 401.
func (s *Server) Tokens(all ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = make(map[string]bool)
	for _, t := range all {
		s.tokens[t] = true
	}
}

// Deny sets the namespaces in which everything is forbidden (403).
func (s *Server) Deny(namespaces ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = make(map[string]bool)
	for _, ns := range namespaces {
		s.denied[ns] = true
	}
}

// Fault makes f answer every request in place of the server; nil ends that. A handler that calls
// [Server.Serve] lets a request through.
func (s *Server) Fault(f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Requests returns the requests so far: GET and the path with the query.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}
