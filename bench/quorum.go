package main

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/bench/election"
)

// playElections plays all that has to do with leaders, shards and commits, one play after the other: some have the real clock. What failed is in the
// error, beside the rows of the rest.
func playElections(t *testing.T, plays []election.Play, progress io.Writer) (rows []election.Row, err error) {
	for _, p := range plays {
		for run := range p.Runs {
			var more []election.Row
			var failed error
			play := func(*testing.T) { more, failed = p.Run() }
			start := time.Now()
			if p.Virtual {
				t.Run(p.Name, func(t *testing.T) { synctest.Test(t, play) })
			} else {
				play(t)
			}
			_, _ = fmt.Fprintf(progress, "%-40s %6.1f s %v\n", fmt.Sprintf("%s/%d", p.Name, run), time.Since(start).Seconds(), failed)
			rows = append(rows, more...)
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("%s, run %d: %w", p.Name, run, failed))
			}
		}
	}
	return rows, err
}
