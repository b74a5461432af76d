package core

// Birth identifies one founding of the quorum: the upper 24 bits order births in time (minutes since 2020, and at least one more
// than the greatest known anywhere), the lower 40 are random. 0 means that none is known. Members of different births
// exchange nothing.
type Birth uint64

// indexBits is how much of a token is the index of a log entry: a million entries a second for twelve days, a thousand for 34 years.
const indexBits = 40

// NewBirth returns the birth with this order, of which 24 bits are used, and this random number, of which 40 are.
func NewBirth(order uint32, random uint64) Birth {
	return Birth(uint64(order)<<indexBits | random&(1<<indexBits-1))
}

// Order returns the part that orders births.
func (b Birth) Order() uint32 { return uint32(b >> indexBits) }

// Token numbers a grant. The tokens of a shard only grow, also across births: a store that refuses tokens below the
// greatest it has seen stops a holder whose lease is over.
type Token uint64

// token returns the token of a grant at an index.
func (t *Table) token(index uint64) Token {
	return Token(uint64(t.era)<<indexBits | index&(1<<indexBits-1))
}

// era returns the part that orders tokens before the index does.
func (t Token) era() uint32 { return uint32(t >> indexBits) }
