package kubernetes

import (
	"net/http"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/strategy/internal/kubernetestest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// service puts the slice of a Service whose endpoints are the pods orders-a, orders-b, … at these addresses.
func (l *testBed) service(name, portName string, port int, ips ...string) {
	var all []kubernetestest.Object
	for i, ip := range ips {
		all = append(all, kubernetestest.Endpoint("orders-"+string(rune('a'+i)), ip))
	}
	slice := kubernetestest.Slice(name, port, all...)
	slice["ports"] = []any{kubernetestest.Object{"name": portName, "port": port, "protocol": "TCP"}}
	slice["metadata"] = kubernetestest.Object{"labels": kubernetestest.Object{"kubernetes.io/service-name": name, "app": "orders"}}
	l.Put(kubernetestest.Slices, "shop", name+"-x1", slice)
}

// webAndHeadless puts the two Services of a usual chart: both select the same pods and carry the same labels.
func (l *testBed) webAndHeadless(ips ...string) {
	l.service("orders", "http", 8080, ips...)
	l.service("orders-headless", "gossip", 7946, ips...)
}

var watchModes = []string{"watch: true", "watch: false"}

func TestServicesWithDifferentPortsAndNoChoiceAreAnErrorAndNoPeerIsDialled(t *testing.T) {
	for _, mode := range watchModes {
		bubble(t, func(l *testBed) {
			l.webAndHeadless("10.0.0.1", "10.0.0.2")
			l.run("selector: app=orders", mode)
			calls := l.after(soon, "Fail")
			for _, want := range []string{
				"service orders (http 8080)", "service orders-headless (gossip 7946)", "namespace shop",
				"set service, port_name or port",
			} {
				if err := calls[0].Err; err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: error = %v, want %q in it", mode, err, want)
				}
			}
		})
	}
}

func TestWithAPortNameTheServiceWithoutItIsLeftOutAndTheAnswerIsComplete(t *testing.T) {
	for _, mode := range watchModes {
		bubble(t, func(l *testBed) {
			l.webAndHeadless("10.0.0.1", "10.0.0.2")
			l.run("selector: app=orders", "port_name: gossip", mode)
			l.after(soon, "Set(10.0.0.1:7946 10.0.0.2:7946)")
			l.webAndHeadless("10.0.0.2")
			l.after(2*soon, "Set(10.0.0.2:7946)")
			if n := strings.Count(l.logs.String(), "service left out: it has no port of this name"); n != 1 {
				t.Errorf("%s: the Service without the port is logged %d times, want once:\n%s", mode, n, l.logs)
			}
			if !strings.Contains(l.logs.String(), "service=orders ") {
				t.Errorf("%s: the log does not name the Service left out:\n%s", mode, l.logs)
			}
		})
	}
}

func TestServicesWithOnePortInCommonNeedNoChoice(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.service("orders", "peers", 7946, "10.0.0.1", "10.0.0.2")
		l.service("orders-headless", "gossip", 7946, "10.0.0.1", "10.0.0.2")
		l.run("selector: app=orders")
		l.after(soon, "Set(10.0.0.1:7946 10.0.0.2:7946)")
	})
}

func TestAPortThatIsSetServesForAllServices(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.webAndHeadless("10.0.0.1", "10.0.0.2")
		l.run("selector: app=orders", "port: 7000")
		l.after(soon, "Set(10.0.0.1:7000 10.0.0.2:7000)")
	})
}

func TestASliceWithoutThePortOfItsServiceIsAMistakeAndNotAnotherService(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.webAndHeadless("10.0.0.1")
		stray := kubernetestest.Slice("orders-headless", 9000, kubernetestest.Endpoint("orders-z", "10.0.0.9"))
		stray["ports"] = []any{kubernetestest.Object{"name": "admin", "port": 9000, "protocol": "TCP"}}
		stray["metadata"] = kubernetestest.Object{"labels": kubernetestest.Object{"kubernetes.io/service-name": "orders-headless", "app": "orders"}}
		l.Put(kubernetestest.Slices, "shop", "orders-headless-x2", stray)
		l.run("selector: app=orders", "port_name: gossip")
		calls := l.after(soon, "Add(10.0.0.1:7946) Fail")
		if err := calls[len(calls)-1].Err; err != nil && !strings.Contains(err.Error(), `orders-headless-x2 has no port named "gossip"`) {
			t.Errorf("error = %v, want the slice and the port", err)
		}
	})
}

func TestAPartOfAListDoesNotDecideBetweenServices(t *testing.T) {
	for _, mode := range watchModes {
		bubble(t, func(l *testBed) {
			for i := range 520 { // more than a page, all of them slices of the web Service
				slice := kubernetestest.Slice("orders", 8080, kubernetestest.Endpoint("orders-a", "10.0.0.1"))
				slice["metadata"] = kubernetestest.Object{"labels": kubernetestest.Object{"kubernetes.io/service-name": "orders", "app": "orders"}}
				l.Put(kubernetestest.Slices, "shop", "orders-"+string(rune('a'+i/26))+string(rune('a'+i%26)), slice)
			}
			l.Fault(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("continue") {
					kubernetestest.Refuse(w, http.StatusInternalServerError, "InternalError", "asked to be broken")
					return
				}
				l.Serve(w, r)
			})
			l.run("selector: app=orders", mode)
			for _, c := range l.after(soon, "Fail") {
				if c.Method != strategytest.Fail {
					t.Errorf("%s: %v, want no peer while the other Services are unknown", mode, c)
				}
			}
		})
	}
}
