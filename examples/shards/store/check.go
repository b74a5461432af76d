package store

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// span is the time from the first write that was tried under a token; each further one is checked as it is met.
type span struct {
	holder string
	token  uint64
	first  time.Time
}

// Check returns an error that names each proof in the records, in the order of the file, that a shard had two holders at one instant:
//
//   - one token with two holders;
//   - a write under a token, accepted or not, at or after the first one under another token that is greater: from the first to the
//     last write under a token its holder took itself for the holder, and two such spans of a shard overlap;
//
// and each sign that the records themselves are not to be trusted: a time before the one of the line above, or a smaller token that was not
// refused. It returns nil if there is none. That proves that no two spans overlap, and is the stronger the more often holders write: let
// them write at least when they begin and before they return. A program whose level is "fenced" expects the second kind.
func Check(records []Record) error {
	var all []error
	spans := make(map[int][]span) // by shard, in the order of their first writes
	for i, r := range records {
		if i > 0 && r.Time.Before(records[i-1].Time) {
			all = append(all, fmt.Errorf("record %d: its time is %v before that of the one above", i+1, records[i-1].Time.Sub(r.Time)))
		}
		before := spans[r.Shard]
		if err := checkRecord(r, before); err != nil {
			all = append(all, fmt.Errorf("record %d: shard %d: %w", i+1, r.Shard, err))
		}
		spans[r.Shard] = extend(before, r)
	}
	return errors.Join(all...)
}

// checkRecord checks a record against the spans of its shard so far.
func checkRecord(r Record, spans []span) error {
	var newest span
	for _, s := range spans {
		if s.token == r.Token && s.holder != r.Holder {
			return fmt.Errorf("token %d is of %s and of %s", r.Token, s.holder, r.Holder)
		}
		if s.token > newest.token {
			newest = s
		}
	}
	switch {
	case r.Token >= newest.token && r.Refused:
		return fmt.Errorf("token %d of %s was refused, and no greater one was seen", r.Token, r.Holder)
	case r.Token >= newest.token:
		return nil
	case !r.Refused:
		return fmt.Errorf("token %d of %s was accepted after token %d of %s", r.Token, r.Holder, newest.token, newest.holder)
	}
	return fmt.Errorf("%s with token %d wrote %v after the first write of %s with token %d: two holders",
		r.Holder, r.Token, r.Time.Sub(newest.first), newest.holder, newest.token)
}

// extend adds the span that a record begins, if it does.
func extend(spans []span, r Record) []span {
	if slices.ContainsFunc(spans, func(s span) bool { return s.token == r.Token }) {
		return spans
	}
	return append(spans, span{r.Holder, r.Token, r.Time})
}
