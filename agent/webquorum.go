package agent

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/goconvoke/convoke/internal/admin"
)

// errorDocument is an error as RFC 9457 has it.
type errorDocument struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// groupDocument is the answer of /api/v1/shards/GROUP.
type groupDocument struct {
	admin.Group
	Holders []admin.Shard `json:"holders"`
}

func writeJSON(w http.ResponseWriter, v any) { writeDocument(w, http.StatusOK, "application/json", v) }

func writeError(w http.ResponseWriter, status int, format string, args ...any) {
	writeDocument(w, status, "application/problem+json", errorDocument{http.StatusText(status), status, fmt.Sprintf(format, args...)})
}

func writeDocument(w http.ResponseWriter, status int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone needs no answer
}

func (n *Node) handleQuorum(w http.ResponseWriter, r *http.Request) {
	if n.quorum == nil {
		writeError(w, http.StatusNotFound, "%v", errNoSection)
		return
	}
	writeJSON(w, n.quorumStatus(r.Context()))
}

func (n *Node) handleGroups(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, n.groupList(r.Context()))
}

func (n *Node) handleGroup(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("group")
	holders, ok := n.shardList(name)
	if !ok {
		writeError(w, http.StatusNotFound, "there is no group %q", name)
		return
	}
	doc := groupDocument{Holders: holders}
	for _, g := range n.groupList(r.Context()) {
		if g.Name == name {
			doc.Group = g
		}
	}
	writeJSON(w, doc)
}
