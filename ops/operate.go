package ops

import (
	"context"
	"errors"
	"net/http"
	"slices"
)

var errNoSection = errors.New("the file has no section quorum: add one, the same on all nodes, and start them again")

// TransferRequest is the body of a transfer of leadership.
type TransferRequest struct {
	To string `json:"to"` // the voter that is to lead; "": any other one
}

// RecoverRequest is the body of a recovery.
type RecoverRequest struct {
	Force bool `json:"force"` // although most voters may still be alive
}

// PlaceRequest is the body of a placement.
type PlaceRequest struct {
	Shard  int    `json:"shard"`
	Member string `json:"member"`
}

// GroupDocument is a group with the holders of its shards.
type GroupDocument struct {
	Group
	Holders []Shard `json:"holders"`
}

func (a *API) postTransfer(ctx context.Context, r *request) (any, error) {
	var body TransferRequest
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	if a.config.Quorum == nil {
		return nil, WithStatus(http.StatusNotFound, errNoSection)
	}
	return nil, a.config.Quorum.Transfer(ctx, body.To)
}

func (a *API) postRecover(ctx context.Context, r *request) (any, error) {
	var body RecoverRequest
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	if a.config.Quorum == nil {
		return nil, WithStatus(http.StatusNotFound, errNoSection)
	}
	return nil, a.config.Quorum.Recover(ctx, body.Force)
}

// elect sends the steps of one term of this node as the leader under a name. The term is over when the client closes the connection, which
// means that what it runs has ended.
func (a *API) elect(ctx context.Context, r *request, out *eventStream) error {
	if a.config.Quorum == nil {
		return WithStatus(http.StatusNotFound, errNoSection)
	}
	return a.config.Quorum.Elect(ctx, r.PathValue("name"), func(t Term) error { return out.send(EventTerm, t) })
}

func (a *API) getGroups(ctx context.Context, _ *request) (any, error) {
	if a.config.Shards == nil {
		return []Group{}, nil
	}
	return a.config.Shards.Groups(ctx), nil
}

func (a *API) getGroup(ctx context.Context, r *request) (any, error) {
	name := r.PathValue("group")
	holders, err := a.holders(name)
	if err != nil {
		return nil, err
	}
	doc := GroupDocument{Holders: holders}
	groups := a.config.Shards.Groups(ctx)
	if i := slices.IndexFunc(groups, func(g Group) bool { return g.Name == name }); i >= 0 {
		doc.Group = groups[i]
	}
	return doc, nil
}

func (a *API) holders(group string) ([]Shard, error) {
	if a.config.Shards != nil {
		if all, ok := a.config.Shards.Shards(group); ok {
			return all, nil
		}
	}
	return nil, problemf(http.StatusNotFound, "there is no group %q: convoke shards list has all", group)
}

// postPlacement decides where shards of a group are held.
func (a *API) postPlacement(ctx context.Context, r *request) (any, error) {
	var body PlaceRequest
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	p := Placement{r.PathValue("verb"), r.PathValue("group"), body.Shard, body.Member}
	switch {
	case !slices.Contains([]string{PlaceDrain, PlaceInclude, PlaceMove, PlacePin}, p.Verb):
		return nil, problemf(http.StatusNotFound, "%q is not possible with a group: want drain, include, move or pin", p.Verb)
	case a.config.Quorum == nil:
		return nil, WithStatus(http.StatusNotFound, errNoSection)
	case p.Shard < 0:
		return nil, problemf(http.StatusBadRequest, "shard %d: want a number from 0", p.Shard)
	case p.Verb == PlaceMove && p.Member == "":
		return nil, problemf(http.StatusBadRequest, "name the member that is to hold the shard")
	}
	return nil, a.config.Quorum.Place(ctx, p)
}
