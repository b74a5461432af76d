package core

// table is a set of items that neighbours keep equal. All that is common to records and the shared map is written against it.
type table interface {
	sums() (whole uint64, buckets *[NumBuckets]uint64)
	claim(id uint64) claim
	claims(mask uint64) []claim    // of the items in the buckets of a mask, in a fixed order
	takes(claim) bool              // whether an item at this version may be taken now
	gives(ours, theirs claim) bool // whether our item may be sent now to a peer that stands at theirs
	quiet() bool                   // whether nothing new has come for a while
	isSmall() bool                 // whether the versions of all items are cheaper than bucket hashes

	of(*link) *exchange
	sendBuckets(*link)
	sendDigest(l *link, mask uint64, reply bool, claims []claim)
	// weigh returns about how many bytes a peer lacks that stands at the claims; it stops counting at most.
	weigh(claims []claim, most int) int
	// send sends what a peer lacks that stands at the claims, in order and up to one window, and marks the end.
	send(l *link, claims []claim)
}
