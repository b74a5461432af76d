package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/goconvoke/convoke/agent"
)

// socketClient returns a client whose every connection goes to the admin socket of a node.
func socketClient(n *agent.Node) *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", n.Socket())
	}}}
}

// send sends a request over the admin socket.
func send(t *testing.T, n *agent.Node, method, path, body string, header ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := socketClient(n).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// contract is the OpenAPI document that a node serves, with schemas that accept no field that it does not have.
type contract struct {
	t        *testing.T
	paths    map[string]map[string]operation
	compiler *jsonschema.Compiler
}

type operation struct {
	Responses map[string]struct {
		Content map[string]struct{ Schema any }
	}
}

func newContract(t *testing.T, n *agent.Node) contract {
	t.Helper()
	text, err := io.ReadAll(send(t, n, http.MethodGet, "/api/v1/openapi.json", "").Body)
	if err != nil {
		t.Fatal(err)
	}
	var paths struct {
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal(text, &paths); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return contract{t, paths.Paths, c}
}

// closeObjects has schemas of objects with properties accept no others.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["type"] == "object" && v["properties"] != nil {
			v["additionalProperties"] = false
		}
		for _, one := range v {
			closeObjects(one)
		}
	case []any:
		for _, one := range v {
			closeObjects(one)
		}
	}
}

// check validates a document against the schema at a place of the contract.
func (c contract) check(what, pointer string, text []byte) {
	c.t.Helper()
	schema, err := c.compiler.Compile("openapi.json#" + pointer)
	if err != nil {
		c.t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		c.t.Errorf("%s: %v\n%s", what, err, text)
	}
}

// checkAnswer validates an answer of an operation: its status, its type and its content.
func (c contract) checkAnswer(path string, res *http.Response, status int) {
	c.t.Helper()
	method := strings.ToLower(res.Request.Method)
	what := method + " " + res.Request.URL.Path
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	key := "default"
	if _, listed := c.paths[path][method].Responses[fmt.Sprint(res.StatusCode)]; listed {
		key = fmt.Sprint(res.StatusCode)
	}
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	_, known := c.paths[path][method].Responses[key].Content[kind]
	if res.StatusCode != status || !known && status != http.StatusNoContent {
		c.t.Errorf("%s = %s, %q, want %d and a type of the document: %s", what, res.Status, kind, status, text)
		return
	}
	if strings.HasSuffix(kind, "json") {
		escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace
		c.check(what, "/paths/"+escape(path)+"/"+method+"/responses/"+key+"/content/"+escape(kind)+"/schema", text)
	}
}

// firstEvent returns the name and the data of the first event of a stream.
func firstEvent(t *testing.T, res *http.Response) (event string, data []byte) {
	t.Helper()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			event = value
		case "data":
			return event, []byte(value)
		}
	}
	t.Fatalf("%s ended without an event: %v", res.Request.URL.Path, lines.Err())
	return "", nil
}

func TestEveryOperationAnswersAsItsDocument(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	more := "quorum: {lease: 1s, birth: {expect: 2}}\ngroups: {orders: {shards: 4}}\nhttp: {listen: \"127.0.0.1:0\"}\n"
	a, b := s.startQuorum("a", 2, more), s.startQuorum("b", 2, more)
	formed(t, a, b)
	eventually(t, func() (bool, any) {
		q := get[struct{ Leader, Session string }](t, a, "/api/v1/quorum")
		return q.Leader != "" && q.Session != "", q
	})
	work(t, a)
	c := newContract(t, a)
	sent := map[string]bool{}
	for _, op := range []struct {
		method, path, url, body string
		status                  int
	}{
		{"GET", "/livez", "/livez?verbose", "", 200},
		{"GET", "/readyz", "/readyz?verbose&formed&topology=here&exclude=loops", "", 200},
		{"GET", "/readyz", "/readyz?topology=none", "", 503},
		{"GET", "/status", "", "", 200},
		{"GET", "/partitions", "/partitions?group=orders", "", 200},
		{"GET", "/partitions", "/partitions?group=none", "", 404},
		{"GET", "/api/v1/openapi.json", "", "", 200},
		{"GET", "/api/v1/status", "/api/v1/status?agreement&events=100", "", 200},
		{"GET", "/api/v1/status", "/api/v1/status?events=many", "", 400},
		{"GET", "/api/v1/members", "/api/v1/members?status=up&limit=1&after=a", "", 200},
		{"GET", "/api/v1/members/{name}", "/api/v1/members/b", "", 200},
		{"GET", "/api/v1/members/{name}", "/api/v1/members/none", "", 404},
		{"PUT", "/api/v1/keys/{key}", "/api/v1/keys/role", `{"value": "web", "ttl_seconds": 60}`, 204},
		{"PUT", "/api/v1/keys/{key}", "/api/v1/keys/role", `{}`, 400},
		{"GET", "/api/v1/keys", "/api/v1/keys?values", "", 200},
		{"GET", "/api/v1/members/{name}/keys", "/api/v1/members/a/keys?values", "", 200},
		{"GET", "/api/v1/members/{name}/keys/{key}", "/api/v1/members/a/keys/role", "", 200},
		{"DELETE", "/api/v1/keys/{key}", "/api/v1/keys/role", "", 204},
		{"GET", "/api/v1/links", "", "", 200},
		{"GET", "/api/v1/links", "/api/v1/links?overlay", "", 200},
		{"GET", "/api/v1/agreement", "", "", 200},
		{"POST", "/api/v1/join", "", `{"addrs": ["127.0.0.1:1"]}`, 200},
		{"POST", "/api/v1/join", "", `{"addrs": []}`, 400},
		{"POST", "/api/v1/reload", "", "", 204},
		{"PUT", "/api/v1/shared/{key}", "/api/v1/shared/config/limit", `{"value": {"base64": "AP8="}}`, 204},
		{"PUT", "/api/v1/shared/{key}", "/api/v1/shared/config/limit", `{"value": "2", "absent": true}`, 409},
		{"GET", "/api/v1/shared", "/api/v1/shared?prefix=config/&values", "", 200},
		{"GET", "/api/v1/shared/{key}", "/api/v1/shared/config%2Flimit", "", 200},
		{"POST", "/api/v1/sync", "", "", 204},
		{"DELETE", "/api/v1/shared/{key}", "/api/v1/shared/config/limit", "", 204},
		{"GET", "/api/v1/quorum", "", "", 200},
		{"POST", "/api/v1/quorum/recover", "", `{"force": false}`, 409},
		{"POST", "/api/v1/quorum/transfer", "", `{"to": "none"}`, 404},
		{"GET", "/api/v1/shards", "", "", 200},
		{"GET", "/api/v1/shards/{group}", "/api/v1/shards/orders", "", 200},
		{"POST", "/api/v1/shards/{group}/{verb}", "/api/v1/shards/orders/pin", `{"shard": 1, "member": "a"}`, 204},
		{"POST", "/api/v1/shards/{group}/{verb}", "/api/v1/shards/orders/burn", "", 404},
		{"PUT", "/api/v1/map/{key}", "/api/v1/map/k", `{"value": "1", "absent": true, "session": true}`, 204},
		{"GET", "/api/v1/map/{key}", "/api/v1/map/k", "", 200},
		{"DELETE", "/api/v1/map/{key}", "/api/v1/map/k", "", 204},
		{"DELETE", "/api/v1/members/{name}", "/api/v1/members/none", "", 404},
	} {
		url := op.url
		if url == "" {
			url = op.path
		}
		c.checkAnswer(op.path, send(t, a, op.method, url, op.body), op.status)
		sent[op.method+" "+op.path] = true
	}
	c.checkStreams(a, sent)
	c.checkAnswer("/api/v1/members/{name}", send(t, a, "DELETE", "/api/v1/members/b", ""), 204)
	c.checkAnswer("/api/v1/leave", send(t, a, "POST", "/api/v1/leave?timeout=19", ""), 204)
	sent["POST /api/v1/leave"] = true
	for path, methods := range c.paths {
		for method := range methods {
			if op := strings.ToUpper(method) + " " + path; !sent[op] {
				t.Errorf("%s was not sent", op)
			}
		}
	}
}

// checkStreams validates the first event of each stream.
func (c contract) checkStreams(n *agent.Node, sent map[string]bool) {
	c.t.Helper()
	for _, put := range []string{"/api/v1/keys/k", "/api/v1/shared/k", "/api/v1/map/k"} {
		if res := send(c.t, n, "PUT", put, `{"value": "v"}`); res.StatusCode != http.StatusNoContent {
			c.t.Fatalf("%s = %s", put, res.Status)
		}
	}
	for _, stream := range []struct{ method, path, url, event, schema string }{
		{"GET", "/api/v1/events", "/api/v1/events?all", "event", "Event"},
		{"GET", "/api/v1/watch/keys", "/api/v1/watch/keys", "pair", "Pair"},
		{"GET", "/api/v1/watch/shared", "/api/v1/watch/shared", "pair", "Pair"},
		{"GET", "/api/v1/watch/map", "/api/v1/watch/map", "pair", "Pair"},
		{"POST", "/api/v1/elect/{name}", "/api/v1/elect/billing", "term", "Term"},
	} {
		event, data := firstEvent(c.t, send(c.t, n, stream.method, stream.url, "", "Accept", "text/event-stream"))
		if event != stream.event {
			c.t.Errorf("%s sends %s %s, want %s", stream.url, event, data, stream.event)
		}
		c.check(stream.url, "/components/schemas/"+stream.schema, data)
		sent[stream.method+" "+stream.path] = true
	}
	c.checkAnswer("/api/v1/events", send(c.t, n, "GET", "/api/v1/events", "", "Accept", "application/json"), 200)
}
