package archtest

import "strings"

// paged is operated with the page.
const paged = `package main

import (
	"log"
	"net/http"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/ops/page"
)

func with(config *cluster.Config) cluster.Option {
	c, err := gossip.Kind.New(config.Node, connector.Env{})
	if err != nil {
		log.Fatal(err)
	}
	option := cluster.WithConnector("gossip", c)
	s, err := cluster.New(config, option)
	if err != nil {
		log.Fatal(err)
	}
	var api *ops.API
	node := c.(*gossip.Connector).Node
	mounts := page.Mounts(func() page.Source { return api })
	if api, err = ops.New(ops.Config{Node: config.Node, Supervisor: s, Connector: c, Gossip: node, Mounts: mounts}); err != nil {
		log.Fatal(err)
	}
	http.Handle("/", api.Handler(ops.Always(ops.Read)))
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:7947", nil)) }()
	return option
}
`

// watched is paged with metrics.
var watched = strings.NewReplacer(
	"ops/page\"\n", "ops/page\"\n\t\"github.com/goconvoke/convoke/ops/prom\"\n",
	"\tgo func()", `	h, err := prom.Handler(prom.New(s, prom.WithNode(node)))
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/metrics", h)
	go func()`).Replace(paged)
