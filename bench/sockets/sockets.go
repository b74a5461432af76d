// Package sockets measures what idle members cost on real sockets of 127.0.0.1: CPU time, memory, goroutines. Each engine
// runs in a process of its own with all its members, so that none pays for another.
package sockets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// Result is what one process measured, per member.
type Result struct {
	Engine     string  `json:"engine"`
	Members    int     `json:"members"`
	Formed     float64 `json:"formed_seconds"` // until all knew all
	CPU        float64 `json:"cpu_ms_per_second"`
	Heap       float64 `json:"heap_bytes"` // in use after a collection, more than before
	Resident   float64 `json:"rss_bytes"`  // of the process, more than before; 0 where that is unknown
	Goroutines float64 `json:"goroutines"`
}

// childFlag is the first argument of a process that measures.
const childFlag = "-measure-one"

// IsChild tells whether this process was started to measure.
func IsChild(args []string) bool { return len(args) > 0 && args[0] == childFlag }

// Measure measures every engine at every number of members, one after the other.
func Measure(engines []string, sizes []int, window time.Duration, progress io.Writer) ([]Result, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, n := range sizes {
		for _, e := range engines {
			var out bytes.Buffer
			cmd := exec.Command(self, childFlag, e, strconv.Itoa(n), window.String())
			cmd.Stdout, cmd.Stderr = &out, progress
			if err := cmd.Run(); err != nil {
				return nil, fmt.Errorf("measure %d members of %s: %w", n, e, err)
			}
			var r Result
			if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				return nil, fmt.Errorf("result of %d members of %s: %w", n, e, err)
			}
			results = append(results, r)
			_, _ = fmt.Fprintf(progress, "%d/%s done\n", n, e)
		}
	}
	return results, nil
}
