package quorum

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Own keys in which a member publishes what the others need to know before they have a stream to it. All of it is a hint: what a
// wrong or an old one costs is time.
const (
	keyVoter = "quorum/voter" // identity as a voter in hexadecimal, then "disk" or "memory"; "0" if it is not eligible
	keyLeads = "quorum/leads" // the term in which it leads, absent if it does not
	keyBirth = "quorum/birth" // a birthRecord
)

// birthRecord is the founding that a member belongs to.
type birthRecord struct {
	ID       string       `json:"id"`                  // of the birth
	Voters   []birthVoter `json:"voters,omitempty"`    // the first ones, the same at all that name them
	CameFrom string       `json:"came_from,omitempty"` // the birth that this member belonged to before
	Replaces []string     `json:"replaces,omitempty"`  // births that this one has taken the place of
}

// birthVoter is one of the first voters.
type birthVoter struct {
	ID   string `json:"id"` // core.Config.ID in hexadecimal: JSON has no integers of 64 bits
	Name string `json:"name"`
}

// voters returns the first voters as the core takes them, nil if they cannot be read.
func (b birthRecord) voters() []core.Voter {
	var all []core.Voter
	for _, v := range b.Voters {
		id, err := strconv.ParseUint(v.ID, 16, 64)
		if err != nil || id == 0 || v.Name == "" || len(v.Name) > core.MaxName {
			return nil
		}
		all = append(all, core.Voter{ID: id, Name: v.Name})
	}
	if len(all) > maxVoters {
		return nil
	}
	return all
}

// birthOf returns what a member publishes of its birth; false if nothing, or nothing that can be read.
func birthOf(m *gossip.Member) (birthRecord, bool) {
	var b birthRecord
	value, ok := m.Get(keyBirth)
	if !ok || json.Unmarshal([]byte(value), &b) != nil {
		return birthRecord{}, false
	}
	_, err := parseBirth(b.ID)
	return b, err == nil
}

// voterValue is the value of keyVoter.
func voterValue(id uint64, disk bool) string {
	if disk {
		return fmt.Sprintf("%x disk", id)
	}
	return fmt.Sprintf("%x memory", id)
}

// coreMember returns a member as the core takes it. Takes part is false for members that run no quorum.
func coreMember(m *gossip.Member) (c core.Member, takesPart bool) {
	c = core.Member{Name: m.Name, Zone: m.Zone, Up: m.Up(), Left: m.Status == gossip.Left}
	value, ok := m.Get(keyVoter)
	if !ok {
		return c, false
	}
	id, kept, _ := strings.Cut(value, " ")
	c.Voter, _ = strconv.ParseUint(id, 16, 64) // 0 if it cannot be read: never a voter
	c.Disk = kept == "disk"
	if b, ok := birthOf(m); ok {
		c.Birth, _ = parseBirth(b.ID) // it was parsed before
	}
	if term, ok := m.Get(keyLeads); ok {
		c.Leads, _ = strconv.ParseUint(term, 10, 64)
	}
	return c, true
}
