// Package sockets measures what idle members cost on real sockets of 127.0.0.1: CPU time, memory, goroutines. Each engine
// runs in a process of its own with all its members, so that none pays for another.
package sockets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// Result is what one process measured, per member but for the first two figures.
type Result struct {
	Engine     string  `json:"engine"`
	Members    int     `json:"members"`
	Formed     float64 `json:"formed_seconds"`    // until all knew all, or until the limit
	Missing    int     `json:"missing_pairs"`     // of members that did not know each other then; 0: the cluster was whole
	FormCPU    float64 `json:"form_cpu_ms"`       // used until then
	CPU        float64 `json:"cpu_ms_per_second"` // while idle
	Heap       float64 `json:"heap_bytes"`        // in use after a collection, more than before
	Resident   float64 `json:"rss_bytes"`         // of the process, more than before; 0 where that is unknown
	Goroutines float64 `json:"goroutines"`
}

// String returns whether and when the cluster was whole.
func (r Result) String() string {
	if r.Missing > 0 {
		return fmt.Sprintf("%d/%s: not whole after %.1f s, %d of %d pairs are missing", r.Members, r.Engine, r.Formed, r.Missing, r.Members*(r.Members-1))
	}
	return fmt.Sprintf("%d/%s: whole after %.2f s", r.Members, r.Engine, r.Formed)
}

// childFlag is the first argument of a process that measures.
const childFlag = "-measure-one"

// IsChild reports whether this process was started to measure.
func IsChild(args []string) bool { return len(args) > 0 && args[0] == childFlag }

// Measure measures every engine at every number of members, one after the other. Clusters have the limit to become whole; CPU
// time is measured for the window. What failed is missing in the results, and is the error.
func Measure(engines []string, sizes []int, limit, window time.Duration, progress io.Writer) ([]Result, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var results []Result
	var failed []error
	for _, n := range sizes {
		for _, e := range engines {
			r, err := measureOne(self, e, n, limit, window, progress)
			if err != nil {
				failed = append(failed, fmt.Errorf("measure %d members of %s: %w", n, e, err))
				continue
			}
			results = append(results, r)
			_, _ = fmt.Fprintln(progress, r)
		}
	}
	return results, errors.Join(failed...)
}

// measureOne measures in a process of its own.
func measureOne(self, engine string, n int, limit, window time.Duration, progress io.Writer) (r Result, err error) {
	var out bytes.Buffer
	cmd := exec.Command(self, childFlag, engine, strconv.Itoa(n), limit.String(), window.String())
	cmd.Stdout, cmd.Stderr = &out, progress
	if err := cmd.Run(); err != nil {
		return r, err
	}
	err = json.Unmarshal(out.Bytes(), &r)
	return r, err
}
