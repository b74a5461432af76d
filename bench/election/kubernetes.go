package election

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// kubernetesFailover measures the leader election of client-go on a real API server, by the program in the directory kubernetes. API server and
// program are built for it, which takes minutes the first time.
func kubernetesFailover(lease time.Duration, runs int) ([]Row, error) {
	built := exec.Command("../integration/labs/build.sh")
	var stderr bytes.Buffer
	built.Env, built.Stderr = append(os.Environ(), "GOWORK=", "GOFLAGS="), &stderr
	labs, err := built.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	return failovers(fmt.Sprintf("client-go, lease %v", lease), "kubernetes", "-kubelab="+strings.TrimSpace(string(labs))+"/kubelab",
		fmt.Sprint("-lease=", lease), fmt.Sprint("-runs=", runs))
}
