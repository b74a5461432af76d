package rancher

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/ranchertest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// cart makes a configuration that asks a server for the service cart of the stack shop.
func cart(s *ranchertest.Server) Config {
	c := DefaultConfig()
	c.Port, c.Stack, c.Service, c.URL, c.Wait = 7946, "shop", "cart", s.URL(), 0
	return c
}

// follow runs the strategy until the test ends.
func follow(t *testing.T, c Config, dial strategy.DialFunc) *strategytest.Sink {
	t.Helper()
	st := strategytest.New(t, Kind, c, strategy.Env{Dial: dial})
	ctx, cancel := context.WithCancel(context.Background())
	sink, done := new(strategytest.Sink), make(chan struct{})
	go func() {
		defer close(done)
		_ = st.Run(ctx, sink) // it ends with the context
	}()
	t.Cleanup(func() { cancel(); <-done })
	return sink
}

// lastCall runs the strategy for a while on a server that answers every question with f, and returns the last call.
func lastCall(t *testing.T, f http.HandlerFunc, change func(*Config)) (last string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pipe := strategytest.Listen("rancher-metadata")
		s := ranchertest.New(t, pipe)
		s.Fault(f)
		c := cart(s)
		if change != nil {
			change(&c)
		}
		sink := follow(t, c, pipe.Dial)
		time.Sleep(11 * time.Second) // longer than the deadline
		synctest.Wait()
		calls := sink.Calls()
		last = calls[len(calls)-1].String()
	})
	return last
}

func text(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

func TestOneServiceInEveryShape(t *testing.T) {
	const head = `{"name":"cart","stack_name":"shop","token":"hush","containers":`
	one := func(fields string) string {
		return head + `[{"name":"shop-cart-1","state":"running","health_state":"healthy","primary_ip":"10.0.0.1"},{` + fields + `}]}`
	}
	const both, first = "Set(10.0.0.1:7946 10.0.0.2:7946)", "Set(10.0.0.1:7946)"
	for name, tc := range map[string]struct{ body, want string }{
		"containers null":           {head + `null}`, "Set()"},
		"containers empty":          {head + `[]}`, "Set()"},
		"containers of one only":    {one(`"state":"running","primary_ip":"10.0.0.2"`), both},
		"no primary_ip but ips":     {one(`"state":"running","ips":["10.0.0.2","10.0.0.9"]`), both},
		"null everywhere":           {one(`"state":"running","health_state":null,"name":null,"labels":null,"ips":null,"primary_ip":"10.0.0.2"`), both},
		"IPv6":                      {one(`"state":"running","primary_ip":"FD00::2"`), "Set(10.0.0.1:7946 [fd00::2]:7946)"},
		"starting":                  {one(`"state":"starting","health_state":"initializing","primary_ip":"10.0.0.2"`), both},
		"no address yet":            {one(`"state":"running","ips":[],"primary_ip":null`), first},
		"no address yet, empty":     {one(`"state":"running","ips":[""],"primary_ip":""`), first},
		"nothing at all":            {one(``), first},
		"unhealthy":                 {one(`"state":"running","health_state":"unhealthy","primary_ip":"10.0.0.2"`), first},
		"stopped":                   {one(`"state":"stopped","primary_ip":"10.0.0.2"`), first},
		"removed":                   {one(`"state":"removed","health_state":"healthy","primary_ip":"10.0.0.2"`), first},
		"twice the same address":    {one(`"state":"running","primary_ip":"10.0.0.1"`), first},
		"labels of any kind":        {one(`"state":"running","labels":{"a":1,"b":null,"c":{}},"primary_ip":"10.0.0.2"`), both},
		"upper case":                {strings.Replace(one(``), `"cart"`, `"Cart"`, 1), first},
		"a newline at the end":      {one(``) + "\n", first},
		"no list":                   {`{"name":"cart","stack_name":"shop"}`, "it has no list of containers"},
		"an empty object":           {`{}`, "it has no list of containers"},
		"null":                      {`null`, "it has no list of containers"},
		"a list":                    {`[]`, "the answer is not a service in JSON"},
		"text":                      {`cart/`, "the answer is not a service in JSON"},
		"nothing":                   {``, "the answer is empty"},
		"two answers":               {head + `[]}{}`, "the answer is not a service in JSON"},
		"containers is an object":   {head + `{}}`, "its containers are not a list"},
		"names, as in 2015-07-25":   {head + `["shop-cart-1"]}`, "set the version in url to 2015-12-19 or later"},
		"another service":           {strings.Replace(one(``), `"cart"`, `"till"`, 1), `answers with the service "till" of the stack "shop"`},
		"another stack":             {strings.Replace(one(``), `"shop"`, `"quay"`, 1), `of the stack "quay"`},
		"a container that is null":  {head + `[null]}`, "container 1: want an object"},
		"an address that is none":   {one(`"name":"x","state":"running","primary_ip":"10.0.0"`), `container "x": "10.0.0" is not an IP address`},
		"an address with a port":    {one(`"name":"x","state":"running","primary_ip":"10.0.0.2:80"`), "is not an IP address"},
		"a container of other type": {one(`"state":7`), "container 2: json: cannot unmarshal number"},
		"too many": {head + "[" + strings.TrimSuffix(strings.Repeat("{},", maxContainers+1), ",") + "]}",
			"more than 10000 containers"},
	} {
		t.Run(name, func(t *testing.T) {
			got := lastCall(t, text(http.StatusOK, tc.body), nil)
			if want := tc.want; !strings.Contains(got, want) || strings.HasPrefix(want, "Set") != strings.HasPrefix(got, "Set") {
				t.Errorf("last call %s, want %s", got, want)
			}
			if strings.Contains(got, "hush") || len(got) > 1000 {
				t.Errorf("it reports too much: %s", got)
			}
		})
	}
}

func TestWhatIsNoAnswerIsAFailWithTheReason(t *testing.T) {
	own := func(c *Config) { c.Stack, c.Service = "", "" }
	neighbour := func(c *Config) { c.Stack = "" }
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		change func(*Config)
		want   string
	}{
		"404 for self":      {ranchertest.NotFound, own, `404 Not Found: "Not found"; the server knows no service for the address`},
		"404 for a service": {ranchertest.NotFound, neighbour, "check service, and name its stack"},
		"404 for both":      {ranchertest.NotFound, nil, "check stack and service"},
		"500":               {text(500, "oops\x1b[31m"), nil, `500 Internal Server Error: "oops\x1b[31m"`},
		"a long refusal":    {text(503, strings.Repeat("x", 1<<20)), nil, "503 Service Unavailable"},
		"204":               {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, nil, "204 No Content"},
		"a redirect":        {redirect("http://elsewhere.test/"), nil, `302 Found, a redirect to "http://elsewhere.test/", which is not followed`},
		"an answer cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"name":`))
			panic(http.ErrAbortHandler)
		}, nil, "it is cut short"},
		"no answer at all": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, "it is cut short"},
		"headers without end": {func(w http.ResponseWriter, _ *http.Request) {
			raw(w, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", maxHeader)+"\r\n\r\n{}")
		}, nil, "headers of the answer are larger than"},
		"no HTTP": {func(w http.ResponseWriter, _ *http.Request) { raw(w, "SSH-2.0-x\r\n") }, nil, "read the answer"},
		"a body without end": {func(w http.ResponseWriter, _ *http.Request) {
			block := []byte(strings.Repeat(" ", 1<<16))
			for {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, nil, "larger than 8388608 bytes"},
		"a hang": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil, "no answer: context deadline exceeded"},
		"a hang amid the answer": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat(" ", 1<<16)))
			<-r.Context().Done()
		}, nil, "no answer: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			got := lastCall(t, tc.answer, tc.change)
			if !strings.HasPrefix(got, "Fail(") || !strings.Contains(got, tc.want) || !strings.Contains(got, "/2016-07-29/") {
				t.Errorf("last call %s, want a Fail with %q and whom it asked", got, tc.want)
			}
			if len(got) > 600 {
				t.Errorf("it reports too much: %d bytes", len(got))
			}
		})
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

// raw answers with bytes of any kind.
func raw(w http.ResponseWriter, answer string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = conn.Write([]byte(answer)) // the other end may have seen enough
	_ = conn.Close()
}

func TestAServerThatCannotBeReachedIsAFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ranchertest.New(t, strategytest.Listen("rancher-metadata"))
		c := cart(s)
		c.Wait = 30 * time.Second
		sink := follow(t, c, func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no such host") })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := strategytest.Summary(sink.Calls()); got != "Fail" {
			t.Errorf("calls %s, want nothing but Fail", got)
		}
	})
}

func TestAHangIsReportedInTimeAndTheLastAnswerStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := strategytest.Listen("rancher-metadata")
		s := ranchertest.New(t, pipe)
		s.Put("shop", "cart", ranchertest.Container("c1", "10.0.0.1"))
		sink := follow(t, cart(s), pipe.Dial)
		time.Sleep(2 * time.Minute)
		s.Fault(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		since := time.Now()
		time.Sleep(17 * time.Second) // an interval with its jitter and the deadline
		synctest.Wait()
		if got := strategytest.Summary(sink.Since(since)); got != "Fail" {
			t.Errorf("calls %s, want Fail", got)
		}
	})
}

func TestThePeersAreInOrderThoughTheServerKeepsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := strategytest.Listen("rancher-metadata")
		s := ranchertest.New(t, pipe)
		var all []any
		for i := range 300 { // more than fits into one chunk
			all = append(all, ranchertest.Container(fmt.Sprintf("Shop-Cart-%d", i), fmt.Sprintf("10.0.%d.%d", i/100, i%100+1)))
		}
		s.Put("Shop", "Cart", all...)
		sink := follow(t, cart(s), pipe.Dial)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		calls := sink.Calls()
		for _, c := range calls {
			if len(c.Peers) != 300 || !slices.Equal(c.Peers, calls[0].Peers) {
				t.Fatalf("%v, want %v", c, calls[0])
			}
		}
		if want := (peer.Peer{Addr: "10.0.0.100:7946", ID: "shop-cart-99"}); !slices.Contains(calls[0].Peers, want) {
			t.Errorf("%v is not among %v", want, calls[0].Peers)
		}
	})
}

func TestLabelsBecomeZoneAndVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := strategytest.Listen("rancher-metadata")
		s := ranchertest.New(t, pipe)
		one := ranchertest.Container("C1", "10.0.0.1")
		one["labels"] = ranchertest.Object{"zone": "a", "app.version": "7"}
		odd := ranchertest.Container(strings.Repeat("n", 300), "10.0.0.2")
		odd["labels"] = ranchertest.Object{"zone": "a\n", "app.version": 7}
		s.Put("shop", "cart", one, odd)
		c := cart(s)
		c.ZoneLabel, c.VersionLabel = "zone", "app.version"
		sink := follow(t, c, pipe.Dial)
		synctest.Wait()
		want := []peer.Peer{{Addr: "10.0.0.1:7946", ID: "c1", Zone: "a", Version: "7"}, {Addr: "10.0.0.2:7946"}}
		if got := sink.Calls()[0].Peers; !slices.Equal(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestANeighbourInTheOwnStackIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := strategytest.Listen("rancher-metadata")
		s := ranchertest.New(t, pipe)
		s.Client("10.0.0.1")
		s.Put("Shop", "Cart", ranchertest.Container("c1", "10.0.0.1"))
		s.Put("Shop", "Till", ranchertest.Container("t1", "10.0.0.2"))
		s.Put("Quay", "Till", ranchertest.Container("t1", "10.0.0.3"))
		c := cart(s)
		c.Stack, c.Service = "", "TILL"
		sink := follow(t, c, pipe.Dial)
		synctest.Wait()
		if got := strategytest.Summary(sink.Calls()); got != "Set(10.0.0.2:7946)" {
			t.Errorf("calls %s, want the till of the own stack", got)
		}
	})
}

func TestANameThatIsANumberIsNoPlaceInTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := strategytest.Listen("rancher-metadata")
		s := ranchertest.New(t, pipe)
		s.Put("shop", "till", ranchertest.Container("t1", "10.0.0.2"))
		c := cart(s)
		c.Service = "0"
		sink := follow(t, c, pipe.Dial)
		synctest.Wait()
		if got := sink.Calls()[0].String(); !strings.Contains(got, `the service "till"`) {
			t.Errorf("first call %s, want a Fail that names the other service", got)
		}
	})
}

// TestSelfIsWhoAsks runs on real sockets: the server knows a container by the address it asks from.
func TestSelfIsWhoAsks(t *testing.T) {
	s := ranchertest.New(t, nil)
	s.Put("Shop", "Cart", ranchertest.Container("c1", "127.0.0.11"), ranchertest.Container("c2", "127.0.0.12"))
	s.Put("Shop", "Till", ranchertest.Container("t1", "127.0.0.13"))
	for _, tc := range []struct{ from, want string }{
		{"127.0.0.11", "Set(127.0.0.11:7946 127.0.0.12:7946)"},
		{"127.0.0.13", "Set(127.0.0.13:7946)"},
		{"127.0.0.14", "Fail"},
	} {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(tc.from)}}
		probe, err := from.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.URL(), "http://"), "/2016-07-29"))
		if err != nil {
			t.Skipf("no connection from %s here: %v", tc.from, err)
		}
		_ = probe.Close()
		c := DefaultConfig()
		c.Port, c.URL = 7946, s.URL()
		sink := follow(t, c, from.DialContext)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		calls, err := sink.WaitFor(ctx, func(calls []strategytest.Call) bool { return len(calls) > 0 })
		cancel()
		if got := strategytest.Summary(calls); err != nil || got != tc.want {
			t.Errorf("from %s: %s, %v, want %s", tc.from, got, err, tc.want)
		}
	}
}

func TestConfigurationMistakes(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no port":            {func(c *Config) { c.Port = 0 }, "port: set the port"},
		"port":               {func(c *Config) { c.Port = 65536 }, "65536 is not in 1..65535"},
		"stack alone":        {func(c *Config) { c.Stack = "shop" }, `service: name the service of the stack "shop"`},
		"path in a name":     {func(c *Config) { c.Service = "a/../b" }, "is not a valid service name"},
		"dots":               {func(c *Config) { c.Service = ".." }, "is not a valid service name"},
		"query in a name":    {func(c *Config) { c.Service, c.Stack = "a", "b?c" }, "is not a valid stack name"},
		"no state":           {func(c *Config) { c.States = nil }, "states: name at least one"},
		"state":              {func(c *Config) { c.States = []string{"running", "Up"} }, `states[1]: "Up" is not a state`},
		"health state":       {func(c *Config) { c.HealthStates = []string{""} }, "health_states[0]"},
		"wait":               {func(c *Config) { c.Wait = time.Hour }, "wait: 1h0m0s is not in 1s..2m0s"},
		"interval":           {func(c *Config) { c.Interval = 0 }, "interval"},
		"https":              {func(c *Config) { c.URL = "https://rancher-metadata/latest" }, "does not begin with http://"},
		"no host":            {func(c *Config) { c.URL = "http:///latest" }, "names no host"},
		"no URL":             {func(c *Config) { c.URL = "" }, "does not begin with http://"},
		"a password":         {func(c *Config) { c.URL = "http://a:b@rancher-metadata/latest" }, "want host and path alone"},
		"no version":         {func(c *Config) { c.URL = "http://rancher-metadata/" }, "lacks the version"},
		"control characters": {func(c *Config) { c.URL = "http://rancher-metadata/\n" }, "url"},
	} {
		c := DefaultConfig()
		c.Port = 7946
		tc.change(&c)
		if _, err := Kind.Configure(c); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func FuzzRancher(f *testing.F) {
	f.Add([]byte(`{"name":"cart","containers":[{"name":"c1","state":"running","primary_ip":"10.0.0.1","labels":{"z":"a"}}]}`))
	f.Add([]byte(`{"containers":null}`))
	f.Add([]byte(`{"containers":["a",1,{"ips":["::1"],"state":"running"}]}`))
	c := DefaultConfig()
	c.Port, c.ZoneLabel = 7946, "z"
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := readService(body)
		if err != nil {
			return
		}
		peers, out, err := s.Containers.peers(c)
		if err == nil && peers == nil || out.kept != len(peers) || len(out.String()) > maxQuote {
			t.Fatalf("%v, %+v, %v", peers, out, err)
		}
		for i, p := range peers {
			if canonical, bad := peer.Addr(p.Addr); bad != nil || canonical != p.Addr {
				t.Fatalf("address %q is not canonical: %v", p.Addr, bad)
			}
			if i > 0 && peers[i-1].Addr >= p.Addr {
				t.Fatalf("%v out of order or twice", p)
			}
		}
	})
}
