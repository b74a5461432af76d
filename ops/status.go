package ops

import (
	"cmp"
	"context"
	"net/http"
	"slices"
)

// getStatus answers with the document; with agreement, and with events if that many are asked for.
func (a *API) getStatus(ctx context.Context, r *request) (any, error) {
	events, err := r.number("events", 0, keptEvents)
	if err != nil {
		return nil, err
	}
	timeout, err := r.timeout()
	if err != nil {
		return nil, err
	}
	d := a.Document(ctx)
	d.Events = a.history.newest(events)
	if r.flag("agreement") && d.Node.State == StateRunning && a.config.Gossip() != nil {
		asked, cancel := context.WithTimeout(ctx, timeout/2)
		defer cancel()
		agreement, err := a.Agreement(asked)
		if err != nil {
			return nil, err
		}
		d.Agreement = &agreement
	}
	return d, nil
}

const maxLimit = 100_000 // of members in one answer

// getMembers answers with the members after one of that name, of one status if it is given, so many at most.
func (a *API) getMembers(ctx context.Context, r *request) (any, error) {
	limit, err := r.number("limit", maxLimit, maxLimit)
	if err != nil {
		return nil, err
	}
	all, err := a.Members(ctx)
	if err != nil {
		return nil, err
	}
	if status := r.query.Get("status"); status != "" {
		all = slices.DeleteFunc(all, func(m Member) bool { return m.Status != status })
	}
	if after := r.query.Get("after"); after != "" {
		from, found := slices.BinarySearchFunc(all, after, func(m Member, name string) int { return cmp.Compare(m.Name, name) })
		if found {
			from++
		}
		all = all[from:]
	}
	return all[:min(limit, len(all))], nil
}

func (a *API) getMember(ctx context.Context, r *request) (any, error) {
	return a.Member(ctx, r.PathValue("name"))
}

func (a *API) getLinks(ctx context.Context, r *request) (any, error) {
	if r.flag("overlay") {
		return a.Overlay(ctx)
	}
	return a.Links(ctx)
}

func (a *API) getAgreement(ctx context.Context, _ *request) (any, error) {
	return a.Agreement(ctx)
}

func (a *API) getQuorum(ctx context.Context, _ *request) (any, error) {
	if a.config.Quorum == nil {
		return nil, WithStatus(http.StatusNotFound, errNoSection)
	}
	return a.config.Quorum.Status(ctx), nil
}
