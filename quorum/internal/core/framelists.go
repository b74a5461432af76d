package core

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

func (f *RenewFrame) append(b []byte) []byte {
	b = appendNumbers(b, uint64(f.Birth), f.Session, f.Nonce, f.Sent, f.Replaces, f.Table,
		protowire.EncodeBool(f.Drain), protowire.EncodeBool(f.End))
	b = appendText(b, 9, f.Zone)
	for _, g := range f.Serves {
		m := appendNumbers(nil, uint64(g.Shards), uint64(g.Level), uint64(g.Copies), uint64(g.Weight))
		b = appendMessage(b, 10, appendNumber(appendNumber(appendText(m, 5, g.Name), 6, uint64(g.Return)), 7, uint64(g.Moves)))
	}
	b = appendHolds(b, 11, f.Releases)
	return appendNumber(appendNumber(b, 12, uint64(f.Older)), 13, uint64(f.CameFrom))
}

func parseRenew(b []byte) (Frame, error) {
	f := &RenewFrame{}
	var drain, end uint64
	numbers := []*uint64{(*uint64)(&f.Birth), &f.Session, &f.Nonce, &f.Sent, &f.Replaces, &f.Table, &drain, &end}
	err := parseInto(b, numbers, func(v field) error {
		switch v.num {
		case 9:
			return v.text(&f.Zone, MaxName)
		case 10:
			return parseServe(v, &f.Serves)
		case 11:
			return parseHold(v, &f.Releases)
		case 12:
			return v.number((*uint64)(&f.Older))
		case 13:
			return v.number((*uint64)(&f.CameFrom))
		}
		return nil
	})
	f.Drain, f.End = drain != 0, end != 0
	return f, err
}

func parseServe(v field, to *[]GroupSettings) error {
	var raw []byte
	if err := v.bytes(&raw, 2*MaxName); err != nil {
		return err
	}
	var g GroupSettings
	var shards, level, copies, weight, returns, moves uint64
	err := parseInto(raw, []*uint64{&shards, &level, &copies, &weight}, func(v field) error {
		switch v.num {
		case 5:
			return v.text(&g.Name, MaxName)
		case 6:
			return v.number(&returns)
		case 7:
			return v.number(&moves)
		}
		return nil
	})
	if err == nil && (len(*to) >= MaxGroups || shards > MaxShards || level > uint64(Fenced) || copies > MaxCopies || returns > uint64(MaxReturn) || weight > 1<<20 || moves > MaxShards) {
		err = fmt.Errorf("%w: settings of group %q", errFormat, g.Name)
	}
	g.Return, g.Moves = time.Duration(returns), int(moves)
	g.Shards, g.Level, g.Copies, g.Weight = int(shards), Level(level), int(copies), int(weight)
	*to = append(*to, g)
	return err
}

func appendHolds(b []byte, num protowire.Number, holds []Hold) []byte {
	for _, h := range holds {
		b = appendMessage(b, num, appendNumbers(nil, h.Group, uint64(h.Shard), uint64(h.Token)))
	}
	return b
}

func parseHold(v field, to *[]Hold) error {
	var raw []byte
	if err := v.bytes(&raw, 64); err != nil {
		return err
	}
	var h Hold
	var shard uint64
	err := parseInto(raw, []*uint64{&h.Group, &shard, (*uint64)(&h.Token)}, func(field) error { return nil })
	if err == nil && (len(*to) >= maxHolds || shard >= MaxShards) {
		err = fmt.Errorf("%w: shard %d, or too many", errFormat, shard)
	}
	h.Shard = int(shard)
	*to = append(*to, h)
	return err
}

func (f *TableFrame) append(b []byte) []byte {
	b = appendNumbers(b, uint64(f.Birth), f.Term, f.Prev, f.Last)
	b = appendText(b, 5, f.Whole)
	for _, e := range f.Entries {
		b = appendMessage(b, 6, appendText(appendNumber(nil, 1, e.Index), 2, e.Data))
	}
	return b
}

func parseTableFrame(b []byte) (Frame, error) {
	f := &TableFrame{}
	err := parseInto(b, []*uint64{(*uint64)(&f.Birth), &f.Term, &f.Prev, &f.Last}, func(v field) error {
		switch v.num {
		case 5:
			return v.bytes(&f.Whole, maxSnapshot)
		case 6:
			return parseTableEntry(v, &f.Entries)
		}
		return nil
	})
	return f, err
}

func parseTableEntry(v field, to *[]TableEntry) error {
	var raw []byte
	if err := v.bytes(&raw, MaxEntry+64); err != nil {
		return err
	}
	var e TableEntry
	err := parseInto(raw, []*uint64{&e.Index}, func(v field) error { return v.bytes(&e.Data, MaxEntry) })
	if err == nil && len(*to) >= maxStream {
		err = fmt.Errorf("%w: more than %d entries", errFormat, maxStream)
	}
	*to = append(*to, e)
	return err
}

func appendChanges(b []byte, num protowire.Number, changes []MapChange) []byte {
	for _, c := range changes {
		m := appendText(appendNumber(nil, 1, c.Index), 2, c.Key)
		b = appendMessage(b, num, appendBool(appendText(m, 3, c.Value), 4, c.Deleted))
	}
	return b
}

func parseMapChange(v field, to *[]MapChange) error {
	var raw []byte
	if err := v.bytes(&raw, MaxKey+MaxValue+64); err != nil {
		return err
	}
	var c MapChange
	err := parseInto(raw, []*uint64{&c.Index}, func(v field) error {
		switch v.num {
		case 2:
			return v.text(&c.Key, MaxKey)
		case 3:
			return v.bytes(&c.Value, MaxValue)
		case 4:
			return v.bool(&c.Deleted)
		}
		return nil
	})
	*to = append(*to, c)
	return err
}
