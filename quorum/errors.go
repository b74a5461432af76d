package quorum

import "errors"

// Errors that callers tell apart with errors.Is.
var (
	// ErrLost means that this process must not act any more: its lease is over, or the shard was released. It is the cause of a context
	// whose lease is about to end, and what [Hold.Valid] returns afterwards.
	ErrLost = errors.New("the lease is over")
	// ErrRevoked is the cause of a context whose shard is wanted by another member. That one begins when the function has returned.
	ErrRevoked = errors.New("the shard goes to another member")
	// ErrStuck means that a function did not return within Settings.Handover after its context ended.
	ErrStuck = errors.New("a function did not return after its context ended")
	// ErrCount means that the group exists with other settings: Count, Level, Copies and Return are those of its first member for good.
	ErrCount = errors.New("the group has other settings")
	// ErrWorking means that this process works on the group already.
	ErrWorking = errors.New("this process works on the group already")
	// ErrNoLeader means that no leader answered in time. Nothing was changed.
	ErrNoLeader = errors.New("no leader answered")
	// ErrConflict means that a key was last written at another index than the write named. Nothing was changed.
	ErrConflict = errors.New("the key has changed")
	// ErrFull means that a key, its value or the whole map would be larger than allowed: 512 bytes, 64 KiB, 16 MiB. The text has the
	// sizes. Nothing was changed.
	ErrFull = errors.New("larger than the map allows")
	// ErrNotFound means that there is no such group, shard or member, or that the member takes no part in the group. Nothing was changed.
	ErrNotFound = errors.New("no such group, shard or member")
	// ErrPinned means that the shard is pinned to another member. Nothing was changed.
	ErrPinned = errors.New("the shard is pinned to another member")
	// ErrBirth means that a log, or what an [Arbiter] keeps, belongs to another founding than it should, of this cluster or of another one: a member
	// takes part in one alone. Nothing was changed.
	ErrBirth = errors.New("another founding of the quorum")
	// ErrNotEligible means that a member that Config.Eligible keeps from voting was to found, to lead or to recover the quorum. Nothing was changed.
	ErrNotEligible = errors.New("not eligible as a voter")
	// ErrUnknown means that the outcome of a write is not known: it took effect, or will, or never does, and at most once.
	ErrUnknown = errors.New("the outcome of the write is not known")
)

// What a program can get wrong at a call.
var (
	errNoFunction = errors.New("the function is nil")
	errNilOption  = errors.New("an option is nil")
)
