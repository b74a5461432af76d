package core

import "google.golang.org/protobuf/encoding/protowire"

// opKind is the kind of an operation of the log. The numbers are part of the format of logs on disk.
type opKind uint64

const (
	opOpen     opKind = iota + 1 // a session begins: name, nonce, zone; session is the one it replaces, if any
	opEnd                        // a session ends: session
	opDrain                      // a session is to be freed of shards: session
	opServe                      // a session takes part in a group, which is made if there is none: session, name, weight, shards, level, copies, returns, moves
	opRetire                     // a session takes part in a group no longer, and ends its holds as they are released: session, group
	opGrant                      // group, shard, session, token: the last one of the shard
	opRelease                    // group, shard, token
	opMove                       // of a fenced shard, without a release: group, shard, session, token: the last one
	opStandby                    // group, shard, standby
	opPin                        // a shard belongs to a member until it is pinned again: group, shard, name; without a name to none
	opExclude                    // a member is to hold nothing of a group, or with weight 1 is not excluded any more: group, name, weight
	opEndBirth                   // this birth ends: token: the older one that its members join
	opRaise                      // tokens become greater than those of another birth: token

	opPut    opKind = 32 // of the map: key, value, token: the index of the last write, session: whose end deletes it
	opDelete opKind = 33 // of the map: key, token
)

// ofMap reports whether an operation concerns the map, which only voters keep.
func (k opKind) ofMap() bool { return k >= opPut }

// op is one operation. One flat type serves all kinds; each uses the fields named at its kind.
type op struct {
	kind    opKind
	session uint64
	token   uint64
	nonce   uint64
	group   uint64
	shard   uint64
	name    string
	zone    string
	weight  uint64
	shards  uint64
	level   uint64
	copies  uint64
	standby []uint64
	key     string
	value   []byte
	returns uint64 // GroupSettings.Return
	moves   uint64 // GroupSettings.Moves
}

// numbers lists the fields of type uint64 in the order of their field numbers, from 1.
func (o *op) numbers() [10]*uint64 {
	return [...]*uint64{(*uint64)(&o.kind), &o.session, &o.token, &o.nonce, &o.group, &o.shard, &o.weight, &o.shards, &o.level, &o.copies}
}

// fields of other types
const (
	fieldName    = 11
	fieldZone    = 12
	fieldStandby = 13
	fieldKey     = 14
	fieldValue   = 15
	fieldReturn  = 16
	fieldMoves   = 17
)

func (o *op) append(b []byte) []byte {
	for i, n := range o.numbers() {
		b = appendNumber(b, protowire.Number(i+1), *n)
	}
	b = appendText(b, fieldName, o.name)
	b = appendText(b, fieldZone, o.zone)
	for _, s := range o.standby {
		b = appendNumber(b, fieldStandby, s)
	}
	b = appendText(b, fieldKey, o.key)
	b = appendText(b, fieldValue, o.value)
	return appendNumber(appendNumber(b, fieldReturn, o.returns), fieldMoves, o.moves)
}

func parseOp(b []byte) (op, error) {
	var o op
	numbers := o.numbers()
	err := eachField(b, func(f field) error {
		switch {
		case f.num >= 1 && int(f.num) <= len(numbers):
			return f.number(numbers[f.num-1])
		case f.num == fieldName:
			return f.text(&o.name, MaxName)
		case f.num == fieldZone:
			return f.text(&o.zone, MaxName)
		case f.num == fieldStandby:
			return f.list(&o.standby, MaxCopies)
		case f.num == fieldKey:
			return f.text(&o.key, MaxKey)
		case f.num == fieldValue:
			return f.bytes(&o.value, MaxValue)
		case f.num == fieldReturn:
			return f.number(&o.returns)
		case f.num == fieldMoves:
			return f.number(&o.moves)
		}
		return nil
	})
	return o, err
}

// appendEntry returns an entry of the log: operations that are applied together.
func appendEntry(b []byte, ops []op) []byte {
	for i := range ops {
		b = appendMessage(b, 1, ops[i].append(nil))
	}
	return b
}

// parseEntry is the inverse. It allocates no more than a small multiple of the entry's size.
func parseEntry(b []byte) ([]op, error) {
	var ops []op
	err := eachField(b, func(f field) error {
		if f.num != 1 {
			return nil
		}
		var raw []byte
		if err := f.bytes(&raw, MaxEntry); err != nil {
			return err
		}
		o, err := parseOp(raw)
		ops = append(ops, o)
		return err
	})
	return ops, err
}
