package core

// turnsAway returns why a delta is not to be merged, "" if it is: its member was removed or was forgotten a moment ago, its generation is
// beyond all clocks, or the table is full.
func (c *Core) turnsAway(d *RecordDelta) string {
	t := c.store.byNode[d.Node]
	known := t != nil && t.rec != nil
	id := d.ID
	if id == "" && known {
		id = t.rec.id
	}
	switch {
	case c.cluster.beyondClocks(d.Generation):
		return "generation is far beyond all clocks"
	case id != "" && c.replica.isBanned(id):
		return quietly
	case known:
		return ""
	case d.Seen != 0 && d.Generation <= c.forgetting.forgotten[d.Node].generation && c.forgetting.isNearlyDue(d.Seen):
		return quietly
	case d.From == 0 && !c.forgetting.makeRoom(d.Node, d.Generation, d.Seen):
		return ReasonFull
	}
	return ""
}

// quietly is the reason for which a record is turned away that is no fault of the peer.
const quietly = "quietly"
