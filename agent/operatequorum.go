package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/quorum"
)

// operator has the quorum do what an operator asks for.
type operator struct{ node *Node }

var _ ops.Quorum = operator{}

// Status returns what this node knows of the quorum.
func (o operator) Status(ctx context.Context) ops.QuorumStatus { return o.node.quorumStatus(ctx) }

// current returns the quorum, or why none runs.
func (o operator) current() (*quorum.Quorum, error) {
	q, err := o.node.quorum.current()
	return q, ops.WithStatus(http.StatusServiceUnavailable, err)
}

// Transfer returns when another voter leads, the one of this name if it is not "". A transfer that does not come about, since the
// voter lacks entries or does not answer in time, is tried again until ctx ends.
func (o operator) Transfer(ctx context.Context, to string) error {
	q, err := o.current()
	if err != nil {
		return err
	}
	before, err := q.Status(ctx)
	if err != nil {
		return operateError(err)
	}
	if to != "" && before.Leader == to {
		return nil
	}
	for {
		err := q.Transfer(ctx, to)
		switch {
		case errors.Is(err, quorum.ErrNotFound):
			return errNoVoter(to)
		case err != nil:
			return operateError(err)
		}
		if awaitOtherLeader(ctx, q, before.Leader, to) {
			return nil
		}
		if ctx.Err() != nil {
			return ops.WithStatus(http.StatusGatewayTimeout, fmt.Errorf("%s still leads", before.Leader))
		}
	}
}

// errNoVoter is why leadership cannot go to a member; "" is any other than the leader.
func errNoVoter(to string) error {
	err := errors.New("no other voter answers: convoke quorum status has them")
	if to != "" {
		err = fmt.Errorf("no voter %q answers: convoke quorum status has them", to)
	}
	return ops.WithStatus(http.StatusNotFound, err)
}

// transferWait is how long a transfer may take before it is tried again.
const transferWait = time.Second

// awaitOtherLeader reports whether another member leads in time, to if that is given.
func awaitOtherLeader(ctx context.Context, q *quorum.Quorum, old, to string) bool {
	ctx, cancel := context.WithTimeout(ctx, transferWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := q.Status(ctx)
		switch {
		case err != nil:
			return false
		case s.Leader != "" && s.Leader != old && (to == "" || s.Leader == to):
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// Recover begins a new quorum with what this node has.
func (o operator) Recover(ctx context.Context, force bool) error {
	q, err := o.current()
	if err != nil {
		return err
	}
	err = q.Recover(ctx, force)
	if errors.Is(err, quorum.ErrMajority) && !force {
		err = fmt.Errorf("%w; --force recovers all the same, and splits the cluster if they are", err)
	}
	return operateError(err)
}

// Place decides where shards of a group are held.
func (o operator) Place(ctx context.Context, p ops.Placement) error {
	q, err := o.current()
	if err != nil {
		return err
	}
	if p.Member == "" && p.Verb != ops.PlacePin {
		p.Member = o.node.config.Node.Name
	}
	switch p.Verb {
	case ops.PlaceDrain:
		err = q.Exclude(ctx, p.Group, p.Member)
	case ops.PlaceInclude:
		err = q.Include(ctx, p.Group, p.Member)
	case ops.PlaceMove:
		err = q.Move(ctx, p.Group, p.Shard, p.Member)
	default:
		err = q.Pin(ctx, p.Group, p.Shard, p.Member)
	}
	if errors.Is(err, quorum.ErrNotFound) {
		err = ops.WithStatus(http.StatusNotFound, errNotPlaced(p))
	}
	return operateError(err)
}

// errNotPlaced is why a placement is about something that does not exist.
func errNotPlaced(p ops.Placement) error {
	const since = "a group has its shards, and a member takes part, from the moment when a program first works on the group"
	switch {
	case p.Verb == ops.PlaceDrain || p.Verb == ops.PlaceInclude:
		return fmt.Errorf("member %q takes no shards of a group %q: %s", p.Member, p.Group, since)
	case p.Member == "":
		return fmt.Errorf("there is no shard %d of a group %q: %s", p.Shard, p.Group, since)
	}
	return fmt.Errorf("there is no shard %d of a group %q, or member %q takes no part in it: %s", p.Shard, p.Group, p.Member, since)
}

// operateError returns an error of the quorum with the status that the API answers it with.
func operateError(err error) error {
	for _, known := range []struct {
		err    error
		status int
	}{
		{quorum.ErrNotFound, http.StatusNotFound},
		{quorum.ErrConflict, http.StatusConflict}, {quorum.ErrMajority, http.StatusConflict}, {quorum.ErrPinned, http.StatusConflict},
		{quorum.ErrCount, http.StatusConflict},
		{quorum.ErrFull, http.StatusUnprocessableEntity},
		{quorum.ErrNoLeader, http.StatusServiceUnavailable}, {quorum.ErrUnknown, http.StatusServiceUnavailable},
		{quorum.ErrStopped, http.StatusServiceUnavailable}, {quorum.ErrLost, http.StatusServiceUnavailable},
	} {
		if errors.Is(err, known.err) {
			return ops.WithStatus(known.status, err)
		}
	}
	return err
}
