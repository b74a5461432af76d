package simulation

import "time"

// DayScale is by how much DaySettings slow the protocol down.
const DayScale = 60

// DaySettings are DefaultSettings with every interval of the protocol DayScale times as long, up to what Config.Validate allows:
// heartbeats of a minute, 4.5 m of silence, changes that wait 0.6 s and 30 s for company, verdicts held back for 1 m (2 m would be to
// scale), dials of 1 m (3 m) with backoffs of up to 10 m, tombstones of an hour. Horizon (10 days) and ForgetAfter (72 hours) are
// what they are. So a day costs as much as 24 minutes do otherwise, and thirty of them pass in seconds. What core has as
// constants is not scaled: the minute within which flaps count, the minute by which stamps may be ahead, 0.5 s to 2 s before rings
// are worked out.
func DaySettings(nodes int, seed uint64) Settings {
	s := DefaultSettings(nodes, seed)
	c := &s.Core
	c.Heartbeat *= DayScale
	c.Silence *= DayScale
	c.Coalesce *= DayScale
	c.Relax *= DayScale
	c.Hold = min(c.Hold*DayScale, time.Minute)
	c.DialTimeout = min(c.DialTimeout*DayScale, time.Minute)
	c.DialCap = min(c.DialCap*DayScale, 10*time.Minute)
	c.Tombstone *= DayScale
	return s
}
