package agent

import (
	"context"
	"fmt"

	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/quorum"
)

func mapGet(ctx context.Context, q *quorum.Quorum, r admin.Request, out send) error {
	e, err := q.Map().Get(ctx, string(r.Key))
	switch {
	case err != nil:
		return err
	case e.Index == 0:
		return fmt.Errorf("the map has no key %q", r.Key)
	}
	return out(admin.Pair{Key: r.Key, Value: admin.Text(e.Value)})
}

func mapSet(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	_, err := q.Map().Set(ctx, string(r.Key), string(r.Value), mapOptions(r)...)
	return err
}

func mapDelete(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	return q.Map().Delete(ctx, string(r.Key))
}

// mapOptions has a key end with the session of this node if that is asked for.
func mapOptions(r admin.Request) []quorum.WriteOption {
	if r.Session {
		return []quorum.WriteOption{quorum.WithSession()}
	}
	return nil
}

func mapUpdate(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	_, err := q.Map().Update(ctx, string(r.Key), func(old string, ok bool) (string, bool, error) {
		if err := checkExpected("map", r, old, ok); err != nil {
			return "", false, err
		}
		return string(r.Value), true, nil
	}, mapOptions(r)...)
	return err
}

// checkExpected compares the value of a key with the one that an update expects.
func checkExpected(what string, r admin.Request, old string, ok bool) error {
	switch {
	case ok && r.Expect == nil:
		return fmt.Errorf("%q has a value already: %.80q", r.Key, old)
	case !ok && r.Expect != nil:
		return fmt.Errorf("the %s has no key %q", what, r.Key)
	case ok && old != string(*r.Expect):
		return fmt.Errorf("%q has another value: %.80q", r.Key, old)
	}
	return nil
}

func mapWatch(ctx context.Context, q *quorum.Quorum, r admin.Request, out send) error {
	for c := range q.Map().Watch(ctx, string(r.Key)) {
		if err := out(admin.Pair{Key: admin.Text(c.Key), Value: admin.Text(c.Value), Gone: c.Deleted}); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return q.Err()
}
