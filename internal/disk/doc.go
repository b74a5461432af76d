// Package disk keeps a small map of named values on a disk: a few thousand entries that outlive the
// process, a kill and a loss of power. It knows nothing of what the values mean.
//
// A directory holds a snapshot, which is the whole map at one moment, and a journal with the commits since.
// Commit appends one record and syncs once. When the journal has outgrown the map, a new snapshot takes its
// place. Each snapshot has a number one higher than the last, and a journal carries the number of the snapshot
// it belongs to, in its name and in its header: an old journal is never replayed over a newer snapshot.
//
// # What is promised
//
//   - When Commit returns nil, all its changes survive a loss of power. When it returns an error, or power is lost
//     before it returns, all of them are found by the next Open or none is. Commits are never reordered.
//   - An unfinished record at the end of the journal is the normal trace of a loss of power and is cut off
//     (Found.Torn). It cannot be distinguished from damage to the very last commit, nor can a journal shortened
//     by whole commits be distinguished from one that never had them.
//   - Any other damage is reported (Found.Damage), and the damaged file is put aside, not deleted. A damaged
//     journal is used up to the damage; a damaged snapshot is not used in part, since a map that lacks
//     some entries may mean something else than an older map or an empty one.
//   - What cannot be read is an error, not an empty map.
//
// # What it relies on
//
// That a synced file keeps its bytes, that a synced directory keeps its entries, that a rename is atomic, and
// that an append does not change the bytes before it. It relies on no order among writes, or between writes and
// entries of the directory, that were not synced one after the other: file systems keep none (Pillai et al., "All
// File Systems Are Not Created Equal", OSDI 2014). A failed sync is never tried again on the same file, because the
// second one may succeed though the data is lost (Rebello et al., "Can Applications Recover from fsync
// Failures?", USENIX ATC 2020): the store refuses commits until a new snapshot in new files has succeeded. For
// the same reason Open trusts nothing that it finds to be on the disk and writes a new snapshot.
package disk
