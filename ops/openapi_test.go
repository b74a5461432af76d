package ops

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// operations returns the access of each operation of a document, by "METHOD /path".
func operations(t *testing.T) map[string]string {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Access string `json:"x-access"`
		}
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			all[strings.ToUpper(method)+" "+path] = op.Access
		}
	}
	return all
}

func TestTheDocumentHasEveryRouteAndNoOther(t *testing.T) {
	names := map[Access]string{Probes: "probes", Read: "read", Values: "values", Write: "write"}
	want := map[string]string{}
	for _, r := range routes() {
		want[strings.ReplaceAll(r.pattern, "...}", "}")] = names[r.access]
	}
	if diff := cmp.Diff(want, operations(t)); diff != "" {
		t.Errorf("openapi.json (-routes +document)\n%s", diff)
	}
}

func TestNoGETChangesAnything(t *testing.T) {
	for _, r := range routes() {
		if reads := strings.HasPrefix(r.pattern, "GET "); reads == (r.access == Write) {
			t.Errorf("%s needs the access %d", r.pattern, r.access)
		}
	}
}
