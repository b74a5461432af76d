package core

import (
	"fmt"
	"slices"
)

// parseState reads a snapshot. What breaks a limit is an error, and nothing is allocated by a number that it names.
func parseState(b []byte) (*state, error) {
	s := newState(0)
	err := eachField(b, func(f field) error {
		switch f.num {
		case snapItem:
			return s.parseItem(f.data)
		case snapVoter:
			return s.parseVoter(f.data)
		}
		return s.table.parseField(f)
	})
	s.kv.history.since = s.table.index
	s.table.era = max(s.table.era, s.table.birth.Order())
	return s, err
}

func parseTable(b []byte) (*Table, error) {
	t := newTable(0)
	err := eachField(b, t.parseField)
	t.era = max(t.era, t.birth.Order())
	return t, err
}

func (t *Table) parseField(f field) error {
	switch f.num {
	case snapBirth:
		return f.number((*uint64)(&t.birth))
	case snapIndex:
		return f.number(&t.index)
	case snapLast:
		return f.number(&t.last)
	case snapInto:
		return f.number((*uint64)(&t.into))
	case snapEra:
		return t.parseEra(f)
	case snapSession:
		return t.parseSession(f.data)
	case snapGroup:
		return t.parseGroup(f.data)
	}
	return nil
}

func (t *Table) parseEra(f field) error {
	var era uint64
	err := f.number(&era)
	if err == nil && era >= 1<<24 {
		return fmt.Errorf("%w: era %d", errFormat, era)
	}
	t.era = uint32(era)
	return err
}

func (t *Table) parseSession(b []byte) error {
	s := &Session{}
	err := eachField(b, func(f field) error {
		switch f.num {
		case 1:
			return f.number(&s.ID)
		case 2:
			return f.number(&s.Nonce)
		case 3:
			return f.text(&s.Name, MaxName)
		case 4:
			return f.text(&s.Zone, MaxName)
		case 5:
			return f.bool(&s.Draining)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(t.order) >= MaxSessions, len(t.order) > 0 && t.order[len(t.order)-1] >= s.ID:
		return fmt.Errorf("%w: session %d in the wrong place", errFormat, s.ID)
	}
	t.add(s)
	return nil
}

func (s *state) parseItem(b []byte) error {
	it, key := &item{}, ""
	err := eachField(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text(&key, MaxKey)
		case 2:
			return f.bytes(&it.value, MaxValue)
		case 3:
			return f.number(&it.index)
		case 4:
			return f.number(&it.session)
		}
		return nil
	})
	if err != nil {
		return err
	}
	it.value = slices.Clone(it.value)
	s.kv.put(key, it)
	return nil
}

func (s *state) parseVoter(b []byte) error {
	id, name, err := parseVoterName(b)
	if err == nil {
		s.voters[id] = name
	}
	return err
}

// parseVoterName reads what appendVoterName wrote.
func parseVoterName(b []byte) (id uint64, name string, err error) {
	err = eachField(b, func(f field) error {
		switch f.num {
		case 1:
			return f.number(&id)
		case 2:
			return f.text(&name, MaxName)
		}
		return nil
	})
	return id, name, err
}
