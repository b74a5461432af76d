// Package ranchertest is a working metadata server of Rancher 1.x for tests, in this process. It answers as
// the real one does, in the form of version 2016-07-29: JSON called text, lists that are null when they are
// empty, self by the address it is asked from, and questions that wait for a change. It knows stacks, services
// and containers, and fails as it is set to.
package ranchertest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Object is an object as JSON decodes it.
type Object = map[string]any

// looksAgain is how often a question that waits looks at the clock.
const looksAgain = 5 * time.Second

// Server is a metadata server. Its methods may be called from any goroutine.
type Server struct {
	http *httptest.Server

	mu       sync.Mutex
	services []service
	serial   int
	client   string // the address of connections that have none
	fault    http.HandlerFunc
	requests []string      // paths with queries
	changed  chan struct{} // closed at the next change
}

type service struct {
	stack, name string
	containers  []any
}

// New starts a server that ends with the test. It listens on l; nil means a free port of the loopback interface.
func New(tb testing.TB, l net.Listener) *Server {
	tb.Helper()
	s := &Server{changed: make(chan struct{}), serial: 1}
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			tb.Fatal(err)
		}
	}
	s.http = &httptest.Server{Listener: l, Config: &http.Server{Handler: s}}
	s.http.Start()
	tb.Cleanup(func() {
		s.http.CloseClientConnections() // a question that waits would be waited for
		s.http.Close()
	})
	return s
}

// URL returns the base of the metadata.
func (s *Server) URL() string { return "http://" + s.http.Listener.Addr().String() + "/2016-07-29" }

// Put makes a service of a stack, or gives it other containers: objects, mostly. None makes the list null.
func (s *Server) Put(stack, name string, containers ...any) {
	s.updateState(func() {
		one := service{strings.ToLower(stack), strings.ToLower(name), containers}
		i := slices.IndexFunc(s.services, func(o service) bool { return o.stack == one.stack && o.name == one.name })
		if i < 0 {
			s.services = append(s.services, one)
			return
		}
		s.services[i] = one
	})
}

// Remove removes a service with its containers.
func (s *Server) Remove(stack, name string) {
	s.updateState(func() {
		s.services = slices.DeleteFunc(s.services, func(o service) bool { return o.stack == stack && o.name == name })
	})
}

// Client sets the address of connections that have none, as those of a pipe.
func (s *Server) Client(ip string) { s.updateState(func() { s.client = ip }) }

// Fault answers every question with f from now on, nil as it should be.
func (s *Server) Fault(f http.HandlerFunc) { s.updateState(func() { s.fault = f }) }

// Requests returns the paths asked for so far, with their queries.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Server) updateState(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.serial++
	close(s.changed)
	s.changed = make(chan struct{})
}

// Container returns one that runs and is healthy; ip "" means that it has none yet. Change it before it is put.
func Container(name, ip string) Object {
	c := Object{
		"create_index": 1, "dns": []any{"169.254.169.250"}, "health_check_hosts": []any{}, "health_state": "healthy",
		"hostname": name, "ips": []any{ip}, "labels": Object{"io.rancher.stack.name": "Shop"}, "links": nil,
		"memory_reservation": nil, "metadata_kind": "container", "name": strings.ToLower(name), "ports": nil, "primary_ip": ip,
		"service_index": "1", "start_count": 1, "state": "running", "system": false, "uuid": "uuid-of-" + name,
	}
	if ip == "" {
		c["state"], c["ips"] = "starting", nil
		delete(c, "primary_ip")
	}
	return c
}

// ServeHTTP answers a question.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.URL.RequestURI())
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	value, ok := s.value(r)
	if !ok {
		NotFound(w, r)
		return
	}
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(body) // its type is guessed: text; long ones go in chunks
}

// NotFound answers as the server does when it knows nothing.
func NotFound(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, `{"code":404,"message":"Not found","type":"error"}`, http.StatusNotFound)
}

// value returns what a question is about, after waiting for a change where that is asked for.
func (s *Server) value(r *http.Request) (any, bool) {
	query := r.URL.Query()
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if path[0] != "2016-07-29" && path[0] != "latest" {
		return nil, false
	}
	limit, _ := strconv.Atoi(query.Get("maxWait"))
	asked := time.Now()
	for {
		s.mu.Lock()
		value, ok := s.findPath(r, path[1:])
		changed := s.changed
		s.mu.Unlock()
		if query.Get("wait") != "true" || ok && fmt.Sprint(value) != query.Get("value") ||
			time.Since(asked) > time.Duration(limit)*time.Second {
			return value, ok
		}
		tick := time.NewTimer(looksAgain)
		select {
		case <-changed:
		case <-tick.C:
		case <-r.Context().Done():
		}
		tick.Stop()
		if r.Context().Err() != nil {
			return value, ok
		}
	}
}

// findPath walks a path. It is called with the mutex held.
func (s *Server) findPath(r *http.Request, path []string) (any, bool) {
	var at any = Object{"version": fmt.Sprintf("%d-serial", s.serial), "stacks": s.stacks(), "self": s.self(r)}
	for _, key := range path {
		switch node := at.(type) {
		case Object:
			var ok bool
			if at, ok = node[strings.ToLower(key)]; !ok {
				return nil, false
			}
		case []any:
			i := slices.IndexFunc(node, func(o any) bool { return o.(Object)["name"] == strings.ToLower(key) })
			if n, err := strconv.Atoi(key); err == nil {
				i = n // a number is a place in the list
			}
			if i < 0 || i >= len(node) {
				return nil, false
			}
			at = node[i]
		default:
			return nil, false
		}
	}
	return at, true
}

// stacks returns all of them with what is in them, in any order.
func (s *Server) stacks() []any {
	var names []string
	for _, o := range s.services {
		if !slices.Contains(names, o.stack) {
			names = append(names, o.stack)
		}
	}
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var all []any
	for _, name := range names {
		all = append(all, s.stack(name))
	}
	return all
}

func (s *Server) stack(name string) Object {
	var services []any
	for _, o := range s.services {
		if o.stack == name {
			services = append(services, o.object(nil))
		}
	}
	return Object{"metadata_kind": "stack", "name": name, "environment_name": "Default", "services": services}
}

// self returns what the client is part of, nothing if it is not a container of a service.
func (s *Server) self(r *http.Request) Object {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = s.client
	}
	for _, o := range s.services {
		for _, one := range o.containers {
			if c, ok := one.(Object); ok && c["primary_ip"] == ip {
				return Object{"container": c, "service": o.object("secret-token"), "stack": s.stack(o.stack)}
			}
		}
	}
	return Object{}
}

// object returns the service, with its containers in any order.
func (o service) object(token any) Object {
	var list []any // null when there are none
	for _, i := range rand.Perm(len(o.containers)) {
		list = append(list, o.containers[i])
	}
	return Object{
		"containers": list, "create_index": 3, "expose": []any{}, "external_ips": []any{}, "fqdn": nil, "health_check": nil,
		"hostname": nil, "kind": "service", "labels": Object{}, "links": Object{}, "metadata": Object{}, "metadata_kind": "service",
		"name": o.name, "ports": nil, "scale": len(o.containers), "sidekicks": nil, "stack_name": o.stack, "state": "active",
		"system": false, "token": token, "vip": nil,
	}
}
