package prom

import "github.com/goconvoke/convoke/gossip"

var (
	gossipStreams      = counter("gossip_streams_total", "Streams that were accepted, or tried to be opened.", "direction")
	gossipDialsFailed  = counter("gossip_dials_failed_total", "Streams that could not be opened.")
	gossipProbes       = counter("gossip_probes_total", "Accepted streams that ended before they were of use and broke no rule, such as health checks.")
	gossipAcceptErrors = counter("gossip_accept_errors_total", "Times that a stream could not be accepted, as when the process is out of descriptors.")
	gossipRefused      = counter("gossip_refused_total", "Streams that one side rejected, by reason.", "reason")
	gossipFrames       = counter("gossip_frames_total", "Frames, those of handshakes included.", "direction")
	gossipBytes        = counter("gossip_bytes_total", "Bytes of frames, before encryption.", "direction")
	gossipDiscarded    = counter("gossip_frames_discarded_total", "Frames that were not taken, or not sent, by reason.", "reason")
	gossipPauses       = counter("gossip_pauses_total", "Times that this process did not run for a while.")
	gossipClocksAhead  = counter("gossip_clocks_ahead_total", "Writes of the shared map that were refused because of a clock that is ahead.")
)

var trafficFamilies = []*family{gossipStreams, gossipDialsFailed, gossipProbes, gossipAcceptErrors, gossipRefused, gossipFrames, gossipBytes,
	gossipDiscarded, gossipPauses, gossipClocksAhead}

// traffic sends what a node counts of streams and frames.
func (s scrape) traffic(c gossip.Counters) {
	s.count(gossipStreams, c.Accepted, "accepted")
	s.count(gossipStreams, c.Dialled, "dialled")
	s.count(gossipDialsFailed, c.DialsFailed)
	s.count(gossipProbes, c.Probes)
	s.count(gossipAcceptErrors, c.AcceptErrors)
	for reason, n := range map[string]uint64{
		"foreign_cluster": c.Refused.ForeignCluster, "untrusted": c.Refused.Untrusted, "bad_handshake": c.Refused.BadHandshake, "protocol": c.Refused.Protocol,
		"self": c.Refused.Self, "too_many": c.Refused.TooMany, "by_peer": c.Refused.ByPeer, "hung_up": c.Refused.HungUp,
	} {
		s.count(gossipRefused, n, reason)
	}
	s.count(gossipFrames, c.FramesIn, "in")
	s.count(gossipFrames, c.FramesOut, "out")
	s.count(gossipBytes, c.BytesIn, "in")
	s.count(gossipBytes, c.BytesOut, "out")
	for reason, n := range map[string]uint64{
		"skipped": c.FramesSkipped, "malformed": c.FramesMalformed, "rejected": c.FramesRejected, "slow_link": c.FramesDropped,
	} {
		s.count(gossipDiscarded, n, reason)
	}
	s.count(gossipPauses, c.Pauses)
	s.count(gossipClocksAhead, c.ClocksAhead)
}
