// Command kubernetes measures the leader election of client-go on a real API server with etcd: how many seconds after the death of the
// leader's process the next one leads. It prints them as a list in JSON. It is a module of its own, so that the bench does not depend on the API of
// Kubernetes. The API server is the program kubelab of integration/labs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// within bounds the start of the server, and each wait for a leader.
const within = 3 * time.Minute

// timing are the settings of client-go that are times.
type timing struct{ lease, renew, retry time.Duration }

func main() {
	program := flag.String("kubelab", os.Getenv("KUBELAB"), "path of the API server")
	lease := flag.Duration("lease", 15*time.Second, "LeaseDuration; RenewDeadline is two thirds of it, RetryPeriod two fifteenths, as in the defaults")
	runs := flag.Int("runs", 5, "how many leaders die")
	flag.Parse()
	took, err := measure(*program, timing{*lease, *lease * 2 / 3, *lease * 2 / 15}, *runs)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(took)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1)
	}
}

func measure(program string, with timing, runs int) (took []float64, err error) {
	klog.SetLogger(klog.Logger{}) // silent
	dir, err := os.MkdirTemp("", "kubelab")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := start(program, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	for i := range runs {
		d, err := failover(s.kubeconfig, fmt.Sprint("bench-", i), with)
		if err != nil {
			return took, err
		}
		took = append(took, d.Seconds())
	}
	return took, nil
}

// failover has two candidates stand, ends the first one without a release, as the death of its process does, at a random moment of the
// interval between two renewals, and returns how long it takes until the second one leads.
func failover(kubeconfig, name string, with timing) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	first, second := make(chan struct{}), make(chan struct{})
	dying, die := context.WithCancel(ctx)
	defer die()
	if err := stand(dying, kubeconfig, name, "first", with, first); err != nil {
		return 0, err
	}
	if err := await(ctx, first, "the first candidate leads"); err != nil {
		return 0, err
	}
	if err := stand(ctx, kubeconfig, name, "second", with, second); err != nil {
		return 0, err
	}
	select {
	case <-time.After(with.lease + rand.N(with.retry)): // both have settled
	case <-ctx.Done():
	}
	begin := time.Now()
	die()
	err := await(ctx, second, "the second candidate leads")
	return time.Since(begin), err
}

func await(ctx context.Context, led <-chan struct{}, what string) error {
	select {
	case <-led:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
}

// stand runs a candidate until ctx ends; led is closed when it leads.
func stand(ctx context.Context, kubeconfig, name, identity string, with timing, led chan struct{}) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Client: client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: identity}},
		LeaseDuration: with.lease, RenewDeadline: with.renew, RetryPeriod: with.retry,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { close(led) }, OnStoppedLeading: func() {}},
	})
	if err == nil {
		go elector.Run(ctx) // ends with ctx, and with the process
	}
	return err
}
