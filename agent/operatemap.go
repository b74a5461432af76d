package agent

import (
	"context"

	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/quorum"
)

// operatedMap is the linearizable map as the API needs it.
type operatedMap struct{ quorum *quorum.Quorum }

// Map returns the linearizable map, or why there is none.
func (o operator) Map() (ops.Map, error) {
	q, err := o.current()
	if err != nil {
		return nil, err
	}
	return operatedMap{q}, nil
}

func (m operatedMap) Get(ctx context.Context, key string) (value string, ok bool, err error) {
	e, err := m.quorum.Map().Get(ctx, key)
	return e.Value, e.Index != 0, operateError(err)
}

func (m operatedMap) Set(ctx context.Context, key, value string, session bool) error {
	_, err := m.quorum.Map().Set(ctx, key, value, sessionOption(session)...)
	return operateError(err)
}

func (m operatedMap) Delete(ctx context.Context, key string) error {
	return operateError(m.quorum.Map().Delete(ctx, key))
}

// sessionOption has a key end with the session of this node if that is asked for.
func sessionOption(session bool) []quorum.WriteOption {
	if session {
		return []quorum.WriteOption{quorum.WithSession()}
	}
	return nil
}

func (m operatedMap) Update(ctx context.Context, key string, session bool, fn func(old string, ok bool) (string, error)) error {
	_, err := m.quorum.Map().Update(ctx, key, func(old string, ok bool) (string, bool, error) {
		value, err := fn(old, ok)
		return value, true, err
	}, sessionOption(session)...)
	return operateError(err)
}

func (m operatedMap) Watch(ctx context.Context, prefix string, report func(ops.Pair) error) error {
	for c := range m.quorum.Map().Watch(ctx, prefix) {
		if err := report(ops.PairOf(c.Key, c.Value, c.Deleted)); err != nil {
			return err
		}
	}
	return m.quorum.Err()
}
