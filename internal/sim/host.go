package sim

import "time"

// Host is a machine with at most one process.
type Host struct {
	Index int
	Clock Clock

	world   *World
	running bool
	life    int
	frozen  time.Duration
}

// Running reports whether the process runs; it may be frozen.
func (h *Host) Running() bool { return h.running }

// Frozen reports whether the process stands still now.
func (h *Host) Frozen() bool { return h.running && h.frozen > h.world.Now }

// Life returns the number of the process: how many there were.
func (h *Host) Life() int { return h.life }

// Start begins a process.
func (h *Host) Start() {
	h.running, h.frozen = true, 0
	h.Clock.wake()
	h.life++
}

// Crash ends the process. The host closes its streams, as far as the network lets it.
func (h *Host) Crash() {
	h.running = false
	h.world.Net.endStreamsOf(h)
}

// Freeze has the process stand still for d, as SIGSTOP does: its clocks go on.
func (h *Host) Freeze(d time.Duration) { h.frozen = max(h.frozen, h.world.Now+d) }

// Suspend has the whole host stand still for d, its monotonic clock included.
func (h *Host) Suspend(d time.Duration) {
	h.Freeze(d)
	h.Clock.suspend(d)
}
