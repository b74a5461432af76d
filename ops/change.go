package ops

import (
	"context"
	"net/http"

	"github.com/goconvoke/convoke/peer"
)

// maxJoin bounds the addresses of one request.
const maxJoin = 100

// JoinRequest is the body of a call of nodes.
type JoinRequest struct {
	Addrs []string `json:"addrs"` // host:port
}

// postJoin calls nodes, and answers how each call went.
func (a *API) postJoin(ctx context.Context, r *request) (any, error) {
	var body JoinRequest
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	if n := len(body.Addrs); n == 0 || n > maxJoin {
		return nil, problemf(http.StatusBadRequest, "%d addresses, want 1 to %d", n, maxJoin)
	}
	all := make([]Joined, 0, len(body.Addrs))
	for _, addr := range body.Addrs {
		err := a.config.Connector.Connect(ctx, peer.Peer{Addr: addr})
		all = append(all, Joined{addr, errorText(err)})
	}
	return all, nil
}

// postLeave ends the node as a signal would, and answers when it has ended.
func (a *API) postLeave(ctx context.Context, _ *request) (any, error) {
	if a.config.Leave == nil {
		return nil, problemf(http.StatusNotImplemented, "this program does not let its node leave")
	}
	return nil, a.config.Leave(ctx)
}

// deleteMember takes a member out of the cluster, up or down.
func (a *API) deleteMember(ctx context.Context, r *request) (any, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	if _, err := memberNamed(g, name); err != nil {
		return nil, err
	}
	return nil, refusal(g.Remove(ctx, name))
}

// postReload reads the file again. A mistake in it is the answer, and changes nothing.
func (a *API) postReload(ctx context.Context, _ *request) (any, error) {
	return nil, refusal(a.config.Supervisor.Reload(ctx))
}
