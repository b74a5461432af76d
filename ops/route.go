package ops

import (
	"context"
	"net/http"
)

// operation answers one request; nil without an error is 204.
type operation func(a *API, ctx context.Context, r *request) (any, error)

// stream answers a request with server-sent events until it returns. Its error is the last event.
type stream func(a *API, ctx context.Context, r *request, out *eventStream) error

// route is one operation of the API. Exactly one of answer, stream and plain is set.
type route struct {
	pattern string // of http.ServeMux
	access  Access
	runs    bool // it needs a node that runs, and waits a moment for one that was only just started; every stream does
	answer  operation
	stream  stream
	plain   func(a *API, access Access, w http.ResponseWriter, r *http.Request)
}

// routes are all operations. openapi.json describes each; a test compares the two.
func routes() []route {
	return []route{
		{pattern: "GET /livez", access: Probes, plain: (*API).handleLive},
		{pattern: "GET /readyz", access: Probes, plain: (*API).handleReady},
		{pattern: "GET /status", access: Probes, answer: (*API).getRing},
		{pattern: "GET /partitions", access: Probes, answer: (*API).getPartitions},
		{pattern: "GET /api/v1/openapi.json", access: Probes, plain: (*API).handleOpenAPI},

		{pattern: "GET /api/v1/status", access: Read, answer: (*API).getStatus},
		{pattern: "GET /api/v1/members", runs: true, access: Read, answer: (*API).getMembers},
		{pattern: "GET /api/v1/members/{name}", runs: true, access: Read, answer: (*API).getMember},
		{pattern: "DELETE /api/v1/members/{name}", runs: true, access: Write, answer: (*API).deleteMember},
		{pattern: "GET /api/v1/members/{name}/keys", runs: true, access: Read, answer: (*API).getMemberKeys},
		{pattern: "GET /api/v1/members/{name}/keys/{key...}", runs: true, access: Values, answer: (*API).getMemberKey},
		{pattern: "GET /api/v1/links", runs: true, access: Read, answer: (*API).getLinks},
		{pattern: "GET /api/v1/agreement", runs: true, access: Read, answer: (*API).getAgreement},
		{pattern: "GET /api/v1/events", access: Read, plain: (*API).handleEvents},
		{pattern: "POST /api/v1/join", runs: true, access: Write, answer: (*API).postJoin},
		{pattern: "POST /api/v1/leave", access: Write, answer: (*API).postLeave},
		{pattern: "POST /api/v1/reload", access: Write, answer: (*API).postReload},

		{pattern: "GET /api/v1/keys", runs: true, access: Read, answer: (*API).getKeys},
		{pattern: "PUT /api/v1/keys/{key...}", runs: true, access: Write, answer: (*API).putKey},
		{pattern: "DELETE /api/v1/keys/{key...}", runs: true, access: Write, answer: (*API).deleteKey},
		{pattern: "GET /api/v1/watch/keys", access: Values, stream: (*API).watchKeys},

		{pattern: "GET /api/v1/shared", runs: true, access: Read, answer: (*API).getShared},
		{pattern: "GET /api/v1/shared/{key...}", runs: true, access: Values, answer: (*API).getSharedKey},
		{pattern: "PUT /api/v1/shared/{key...}", runs: true, access: Write, answer: (*API).putSharedKey},
		{pattern: "DELETE /api/v1/shared/{key...}", runs: true, access: Write, answer: (*API).deleteSharedKey},
		{pattern: "POST /api/v1/sync", runs: true, access: Write, answer: (*API).postSync},
		{pattern: "GET /api/v1/watch/shared", access: Values, stream: (*API).watchShared},

		{pattern: "GET /api/v1/quorum", access: Read, answer: (*API).getQuorum},
		{pattern: "POST /api/v1/quorum/transfer", runs: true, access: Write, answer: (*API).postTransfer},
		{pattern: "POST /api/v1/quorum/recover", runs: true, access: Write, answer: (*API).postRecover},
		{pattern: "POST /api/v1/elect/{name}", access: Write, stream: (*API).elect},
		{pattern: "GET /api/v1/shards", access: Read, answer: (*API).getGroups},
		{pattern: "GET /api/v1/shards/{group}", access: Read, answer: (*API).getGroup},
		{pattern: "POST /api/v1/shards/{group}/{verb}", runs: true, access: Write, answer: (*API).postPlacement},

		{pattern: "GET /api/v1/map/{key...}", runs: true, access: Values, answer: (*API).getMapKey},
		{pattern: "PUT /api/v1/map/{key...}", runs: true, access: Write, answer: (*API).putMapKey},
		{pattern: "DELETE /api/v1/map/{key...}", runs: true, access: Write, answer: (*API).deleteMapKey},
		{pattern: "GET /api/v1/watch/map", access: Values, stream: (*API).watchMap},
	}
}
