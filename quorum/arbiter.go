package quorum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Arbiter keeps one text outside of the cluster, where whoever comes first writes it: an object of Kubernetes, a row of a database. With one, a
// quorum has a single founding even if its members are started while they do not see each other. It is asked at the start of a member and
// then from time to time; a quorum that is founded goes on without it. Its methods are called with a deadline, one after the other.
//
// Package quorum/kubernetes has one that keeps the text in a Lease.
type Arbiter interface {
	// Read returns the text and its version, "" for both if there is none.
	Read(ctx context.Context) (text, version string, err error)
	// Write keeps a text in the place of that of a version, "" for none. If there is another by now, it changes nothing and returns
	// [ErrConflict].
	Write(ctx context.Context, text, version string) error
	// String names the place for logs and errors, such as "lease shop/convoke-orders".
	String() string
}

// Arbitrated founds the quorum with the first voters that the first member to reach the arbiter writes there. It is safe unless the text is
// deleted while all members that know of the birth are away: whoever then comes first founds another, and members of the first
// one end with [ErrBirth]. A member that runs writes a text that was deleted again.
func Arbitrated(a Arbiter) Birth { return Birth{arbiter: a} }

// foundingNote is a birth as it is kept outside of the cluster: on the disk of a member, and by an arbiter.
type foundingNote struct {
	birthRecord
	Cluster string `json:"cluster"` // the ID of the cluster
}

func noteOf(b birthRecord, cluster string) ([]byte, error) {
	return json.Marshal(foundingNote{b, cluster})
}

// parseNote reads a note, with [ErrBirth] if it belongs to another cluster.
func parseNote(text []byte, cluster string) (birthRecord, error) {
	var n foundingNote
	if err := json.Unmarshal(text, &n); err != nil {
		return birthRecord{}, fmt.Errorf("the birth cannot be read: %w", err)
	}
	if _, err := parseBirth(n.ID); err != nil {
		return birthRecord{}, err
	}
	if n.Cluster != cluster {
		return birthRecord{}, fmt.Errorf("%w: %s of cluster %.80q, this node is of %q", ErrBirth, n.ID, n.Cluster, cluster)
	}
	if len(n.Voters) > 0 && n.voters() == nil {
		return birthRecord{}, errors.New("the first voters of the birth cannot be read")
	}
	return n.birthRecord, nil
}
