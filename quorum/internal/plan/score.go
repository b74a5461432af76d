package plan

// The score of a member for a shard is Mix(shard hash ^ member hash). The seeds keep the hashes of shards and members apart, and 0, which
// Mix maps to itself, from being one of them.
const (
	shardSeed = 0x9e3779b97f4a7c15
	idSeed    = 0xd1b54a32d192ed03
)

// shardHash returns what a shard contributes to its scores.
func shardHash(shard int) uint64 { return Mix(uint64(shard) + shardSeed) }

// score returns the rank of a member for a shard: a member keeps the shards with the highest.
func (p *pool) score(shard int, member int32) uint64 {
	return Mix(shardHash(shard) ^ p.hashes[member])
}

// Mix spreads a number over all 64 bits, one to one; it is the same in all versions. It is the finalizer of SplitMix64 (Steele, Lea
// and Flood, OOPSLA 2014).
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
