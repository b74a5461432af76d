package prom

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goconvoke/convoke/cluster"
)

// family is a metric with all its series.
type family struct {
	name   string // without convoke_
	help   string
	kind   prometheus.ValueType // of those that are not histograms
	labels []string             // besides cluster_name
}

func gauge(name, help string, labels ...string) *family {
	return &family{name, help, prometheus.GaugeValue, labels}
}

func counter(name, help string, labels ...string) *family {
	return &family{name, help, prometheus.CounterValue, labels}
}

// histogram has no kind: scrape.times makes its series.
func histogram(name, help string, labels ...string) *family {
	return &family{name: name, help: help, labels: labels}
}

// summary has no kind: scrape.total makes its series.
func summary(name, help string, labels ...string) *family { return histogram(name, help, labels...) }

// scrape sends the series of one scrape.
type scrape struct {
	descs map[*family]*prometheus.Desc
	ch    chan<- prometheus.Metric
}

// put sends one series.
func (s scrape) put(f *family, value float64, labels ...string) {
	m, err := prometheus.NewConstMetric(s.descs[f], f.kind, value, texts(labels)...)
	s.send(f, m, err)
}

// count is put of a counter.
func (s scrape) count(f *family, n uint64, labels ...string) { s.put(f, float64(n), labels...) }

// is is put of 1 for true and 0 for false.
func (s scrape) is(f *family, yes bool, labels ...string) {
	value := 0.0
	if yes {
		value = 1
	}
	s.put(f, value, labels...)
}

// at sends a time in seconds since 1970, nothing for the zero time.
func (s scrape) at(f *family, t time.Time, labels ...string) {
	if !t.IsZero() {
		s.put(f, float64(t.UnixMilli())/1000, labels...)
	}
}

// times sends a histogram.
func (s scrape) times(f *family, d cluster.Durations, labels ...string) {
	m, err := prometheus.NewConstHistogram(s.descs[f], d.Count(), d.Sum().Seconds(), d.Buckets(), texts(labels)...)
	s.send(f, m, err)
}

// total sends the count and the sum of durations, as a summary without quantiles: two series.
func (s scrape) total(f *family, d cluster.Durations, labels ...string) {
	m, err := prometheus.NewConstSummary(s.descs[f], d.Count(), d.Sum().Seconds(), nil, texts(labels)...)
	s.send(f, m, err)
}

func (s scrape) send(f *family, m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(s.descs[f], err)
	}
	s.ch <- m
}

// maxHash is above the values that hash returns: a float64 has all integers below it.
const maxHash = 1 << 53

// hash returns the low 53 bits of a hash.
func hash(h uint64) float64 { return float64(h % maxHash) }

// text makes a label of a name that another node or a program has chosen.
func text(name string) string { return strings.ToValidUTF8(name, "�") }

func texts(names []string) []string {
	for i, n := range names {
		names[i] = text(n)
	}
	return names
}
