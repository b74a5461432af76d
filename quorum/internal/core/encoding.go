package core

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// errFormat is in the chain of every error about bytes that are not what they should be.
var errFormat = errors.New("format")

// field is one field of a message in protobuf's wire format.
type field struct {
	num    protowire.Number
	typ    protowire.Type
	varint uint64
	data   []byte // refers to the message
}

// eachField calls do for each field that is a varint or bytes; others are skipped, as fields of newer versions are.
func eachField(b []byte, do func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: tag: %w", errFormat, protowire.ParseError(n))
		}
		b = b[n:]
		f := field{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.data, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return fmt.Errorf("%w: field %d: %w", errFormat, num, protowire.ParseError(n))
		}
		b = b[n:]
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}

func (f field) number(to *uint64) error {
	if f.typ != protowire.VarintType {
		return fmt.Errorf("%w: field %d is not a number", errFormat, f.num)
	}
	*to = f.varint
	return nil
}

func (f field) bool(to *bool) error {
	var n uint64
	err := f.number(&n)
	*to = n != 0
	return err
}

// list appends a number to a list of at most limit.
func (f field) list(to *[]uint64, limit int) error {
	var n uint64
	if err := f.number(&n); err != nil {
		return err
	}
	if len(*to) == limit {
		return fmt.Errorf("%w: field %d has more than %d numbers", errFormat, f.num, limit)
	}
	*to = append(*to, n)
	return nil
}

// bytes sets to to the field's bytes, which refer to the message.
func (f field) bytes(to *[]byte, limit int) error {
	if f.typ != protowire.BytesType {
		return fmt.Errorf("%w: field %d is not bytes", errFormat, f.num)
	}
	if len(f.data) > limit {
		return fmt.Errorf("%w: field %d has %d bytes, at most %d are allowed", errFormat, f.num, len(f.data), limit)
	}
	*to = f.data
	return nil
}

func (f field) text(to *string, limit int) error {
	var b []byte
	err := f.bytes(&b, limit)
	*to = string(b)
	return err
}

// appendNumber appends a field unless it is 0.
func appendNumber(b []byte, num protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), n)
}

func appendBool(b []byte, num protowire.Number, on bool) []byte {
	return appendNumber(b, num, protowire.EncodeBool(on))
}

// appendText appends a field unless it is empty.
func appendText[T string | []byte](b []byte, num protowire.Number, s T) []byte {
	if len(s) == 0 {
		return b
	}
	return appendMessage(b, num, s)
}

// appendMessage appends a field, also an empty one.
func appendMessage[T string | []byte](b []byte, num protowire.Number, s T) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return append(protowire.AppendVarint(b, uint64(len(s))), s...)
}
