package election

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"github.com/goconvoke/convoke/bench/scenario"
)

// etcdFailover measures concurrency.Election on an embedded etcd, by the program in the directory etcd, which is built for it: that takes minutes the
// first time.
func etcdFailover(ttl, runs int) ([]Row, error) {
	return failovers(fmt.Sprintf("etcd, TTL %d s", ttl), "etcd", fmt.Sprint("-ttl=", ttl), fmt.Sprint("-runs=", runs))
}

// failovers runs a program of its own module that prints how many seconds each next holder took. What these services elect is a holder for as long
// as a lease, so they stand beside exclusive shards, not beside leaders of a log.
func failovers(contender, dir string, args ...string) ([]Row, error) {
	c := exec.Command("go", append([]string{"run", "-C", dir, "."}, args...)...)
	var stderr bytes.Buffer
	c.Env, c.Stderr = append(os.Environ(), "GOWORK=off", "GOFLAGS="), &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	row := Row{Measure: votersOf(exclusiveHeld, 3), Contender: contender, Unit: scenario.Seconds, Real: true}
	err = json.Unmarshal(out, &row.Samples)
	return []Row{row}, err
}
