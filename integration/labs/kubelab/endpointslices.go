package main

import (
	"context"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
)

const (
	endpointsPerSlice = 100 // as in every cluster that is not configured otherwise
	workers           = 5
)

// startEndpointSlices starts the controller that writes the EndpointSlices of Services, until ctx ends. It writes
// at once, without gathering changes.
func startEndpointSlices(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	all := informers.NewSharedInformerFactory(client, 0)
	c := endpointslice.NewController(ctx, all.Core().V1().Pods(), all.Core().V1().Services(), all.Core().V1().Nodes(),
		all.Discovery().V1().EndpointSlices(), endpointsPerSlice, client, 0)
	all.Start(ctx.Done())
	go c.Run(ctx, workers)
	return nil
}
