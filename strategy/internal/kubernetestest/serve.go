package kubernetestest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// account is the one that every accepted token belongs to.
const account = "system:serviceaccount:shop:cart"

var quiet = log.New(io.Discard, "", 0)

var kinds = map[string]struct{ apiVersion, kind, group string }{
	Slices: {"discovery.k8s.io/v1", "EndpointSlice", "discovery.k8s.io"},
	Pods:   {"v1", "Pod", ""},
}

var paths = map[string]string{
	"/apis/discovery.k8s.io/v1/namespaces/": Slices,
	"/api/v1/namespaces/":                   Pods,
}

// ServeHTTP answers a request, or lets the fault do it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	s.Serve(w, r)
}

// Serve answers a request whatever the fault.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request) {
	resource, namespace := splitPath(r.URL.Path)
	if resource == "" {
		Refuse(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
		return
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	known, denied := s.tokens[token], s.denied[namespace]
	s.mu.Unlock()
	query := r.URL.Query()
	watch := query.Get("watch") == "true" || query.Get("watch") == "1"
	verb := "list"
	if watch {
		verb = "watch"
	}
	switch {
	case !known:
		Refuse(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
	case denied:
		Refuse(w, http.StatusForbidden, "Forbidden", fmt.Sprintf(
			`%s.%s is forbidden: User %q cannot %s resource %q in API group %q in the namespace %q`,
			resource, kinds[resource].group, account, verb, resource, kinds[resource].group, namespace))
	case watch:
		s.watch(w, r, resource, namespace)
	default:
		s.list(w, query, resource, namespace)
	}
}

// splitPath takes a path apart: /api/v1/namespaces/shop/pods.
func splitPath(path string) (resource, namespace string) {
	for prefix, resource := range paths {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			if namespace, ok := strings.CutSuffix(rest, "/"+resource); ok {
				return resource, namespace
			}
		}
	}
	return "", ""
}

// Refuse answers with a status of the API.
func Refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(statusObject(code, reason, message)) // a client that is gone needs no answer
}

func statusObject(code int, reason, message string) Object {
	return Object{"kind": "Status", "apiVersion": "v1", "metadata": Object{}, "status": "Failure",
		"message": message, "reason": reason, "code": code}
}

// list answers with a page. A continuation is the number of the objects before it and the version of the list.
func (s *Server) list(w http.ResponseWriter, query url.Values, resource, namespace string) {
	s.mu.Lock()
	var found []Object
	for k, o := range s.objects {
		if k.resource == resource && k.namespace == namespace && matchesLabels(o, query) {
			found = append(found, o)
		}
	}
	version, forgot := s.version, s.forgot
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b Object) int { return cmp.Compare(nameOf(a), nameOf(b)) })
	skip := 0
	if token := query.Get("continue"); token != "" {
		if _, err := fmt.Sscanf(token, "%d-%d", &skip, &version); err != nil || version < forgot {
			Refuse(w, http.StatusGone, "Expired", "the provided continue parameter is too old")
			return
		}
	}
	meta := Object{"resourceVersion": strconv.Itoa(version)}
	found = found[min(skip, len(found)):]
	if limit, _ := strconv.Atoi(query.Get("limit")); limit > 0 && len(found) > limit {
		found = found[:limit]
		meta["continue"] = fmt.Sprintf("%d-%d", skip+limit, version)
	}
	k := kinds[resource]
	items := make([]Object, 0, len(found))
	for _, o := range found { // items of a list carry no kind of their own
		if o["kind"] == k.kind {
			o = maps.Clone(o)
			delete(o, "kind")
			delete(o, "apiVersion")
		}
		items = append(items, o)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Object{"kind": k.kind + "List", "apiVersion": k.apiVersion, "metadata": meta, "items": items})
}

// watch streams changes after a version until the client leaves, the watch is cut or its time is over.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, resource, namespace string) {
	query := r.URL.Query()
	seen, _ := strconv.Atoi(query.Get("resourceVersion"))
	end := make(<-chan time.Time)
	if seconds, _ := strconv.Atoi(query.Get("timeoutSeconds")); seconds > 0 {
		timer := time.NewTimer(time.Duration(seconds) * time.Second)
		defer timer.Stop()
		end = timer.C
	}
	s.mu.Lock()
	cut := s.cut
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	if flush() != nil {
		return
	}
	stream := json.NewEncoder(w)
	for {
		events, moved, version := s.eventsSince(seen, resource, namespace, query)
		for _, e := range events {
			if stream.Encode(e) != nil {
				return
			}
			if e["type"] == "ERROR" {
				return
			}
		}
		if seen = version; flush() != nil {
			return
		}
		select {
		case <-moved:
		case <-cut:
			return
		case <-end:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// eventsSince returns the events after a version, a channel that closes when there may be more, and the version now.
func (s *Server) eventsSince(seen int, resource, namespace string, query url.Values) ([]Object, <-chan struct{}, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen {
		return nil, s.moved, seen
	}
	if seen < s.forgot {
		return []Object{{"type": "ERROR", "object": statusObject(http.StatusGone, "Expired", "too old resource version")}}, s.moved, s.version
	}
	var events []Object
	for _, c := range s.history {
		if c.version > seen && c.id.resource == resource && c.id.namespace == namespace && matchesLabels(c.object, query) {
			events = append(events, Object{"type": c.kind, "object": c.object})
		}
	}
	if query.Get("allowWatchBookmarks") == "true" && len(events) == 0 && s.version > seen {
		k := kinds[resource]
		events = append(events, Object{"type": "BOOKMARK", "object": Object{"kind": k.kind, "apiVersion": k.apiVersion,
			"metadata": Object{"resourceVersion": strconv.Itoa(s.version)}}})
	}
	return events, s.moved, s.version
}

// matchesLabels reports whether an object has the labels that a query wants: a=b, joined by commas, is all
// that the selectors of this server may use. Fields are known by status.phase and metadata.name alone.
func matchesLabels(o Object, query url.Values) bool {
	meta, _ := o["metadata"].(Object)
	labels, _ := meta["labels"].(Object)
	for term := range strings.SplitSeq(query.Get("labelSelector"), ",") {
		if key, want, ok := strings.Cut(term, "="); ok && labels[key] != strings.TrimPrefix(want, "=") {
			return false
		}
	}
	state, _ := o["status"].(Object)
	fields := Object{"status.phase": state["phase"], "metadata.name": meta["name"]}
	for term := range strings.SplitSeq(query.Get("fieldSelector"), ",") {
		if key, want, ok := strings.Cut(term, "="); ok && fields[key] != strings.TrimPrefix(want, "=") {
			return false
		}
	}
	return true
}

func nameOf(o Object) string {
	meta, _ := o["metadata"].(Object)
	name, _ := meta["name"].(string)
	return name
}
