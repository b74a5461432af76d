//go:build !unix

package cluster

import "os"

// reloadSignals: there is no SIGHUP here. The empty list must not reach signal.Notify, which would
// then catch everything, so it holds a signal that is never sent.
var reloadSignals = []os.Signal{noSignal{}}

type noSignal struct{}

func (noSignal) Signal()        {}
func (noSignal) String() string { return "none" }
