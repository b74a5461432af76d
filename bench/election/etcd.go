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
	c := exec.Command("go", "run", "-C", "etcd", ".", fmt.Sprint("-ttl=", ttl), fmt.Sprint("-runs=", runs))
	var stderr bytes.Buffer
	c.Env, c.Stderr = append(os.Environ(), "GOWORK=off", "GOFLAGS="), &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	row := Row{Measure: votersOf(leaderKilled, 3), Contender: fmt.Sprintf("etcd, TTL %d s", ttl), Unit: scenario.Seconds, Real: true}
	err = json.Unmarshal(out, &row.Samples)
	return []Row{row}, err
}
