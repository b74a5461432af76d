package prom

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes bounds the scrapes at the same time; one more gets the status 503.
const maxScrapes = 4

// Handler serves collectors, with what the Go runtime and the system know of the process, in a registry of its own: for a program that has
// no other metrics. A program that has some registers its collectors with them, and serves its registry. Two collectors of one
// cluster are an error.
func Handler(all ...*Collector) (http.Handler, error) {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range all {
		if err := c.Register(r); err != nil {
			return nil, err
		}
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, EnableOpenMetrics: true}), nil
}
