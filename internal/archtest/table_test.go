package archtest

// DO NOT CHANGE THIS TABLE TO FIX A BUILD. It is the design (DESIGN.md §1): a new line in it is a
// decision about the shape of the project, made in a review, with its reason in the commit.
//
// Paths are relative to the module; "x/*" stands for every package below x, "*" for all of ours.
var table = []rule{
	{pkg: "peer"},
	{pkg: "internal/strictyaml", ours: []string{"internal/safetext"}, third: []string{yaml, "github.com/agext/levenshtein"}},
	{pkg: "internal/hostaddr", ours: []string{"internal/backoff"}},
	{pkg: "internal/backoff"}, // waits between retries
	{pkg: "internal/hist"},    // durations in buckets
	{pkg: "internal/span", third: otel},
	{pkg: "internal/logqueue", third: []string{hclog}}, // lines for a log writer that may block
	{pkg: "internal/keylock"},                          // locks by key
	{pkg: "internal/bounded"},                          // reads what others wrote
	{pkg: "internal/pacedlog", ours: []string{"internal/logqueue", "internal/ratelog"}, third: []string{hclog}}, // how many lines of a kind a node logs
	{pkg: "internal/ratelog"},  // how often a message is logged
	{pkg: "internal/safetext"}, // quotes what others wrote
	{pkg: "internal/admin", ours: []string{"ops"}, third: []string{hclog, "golang.org/x/net/netutil"}}, // HTTP over a private socket
	{pkg: "internal/secret"}, // settings that are never printed: strategy and connector export them
	{pkg: "internal/command", ours: []string{"*"}, third: []string{hclog, yaml, "github.com/spf13/cobra", "github.com/coreos/go-systemd/v22/daemon", "golang.org/x/term"}},
	{pkg: "internal/manifest", ours: []string{"cluster", "connector", "quorum/kubernetes", "strategy/kubernetes"}, third: []string{yaml}}, // what Kubernetes needs for a file
	{pkg: "internal/reread", ours: []string{"internal/bounded"}},                                                                          // how hostsfile and file follow a file
	{pkg: "internal/targets", ours: []string{"peer", "internal/safetext"}, third: []string{yaml}},                                         // what file, http and exec read
	{pkg: "internal/conntrack"}, // how http and kubernetes end their connections
	{pkg: "internal/archtest"},

	{pkg: "strategy", ours: []string{"peer", "internal/secret", "internal/strictyaml", "internal/backoff"}, third: []string{hclog, yaml}},
	{pkg: "strategy/internal/podenv", ours: []string{"peer", "internal/bounded"}}, // what a pod knows of itself
	{pkg: "strategy/builtin", ours: []string{"peer", "strategy", "strategy/*"}, third: []string{hclog}},
	{pkg: "strategy/strategytest", ours: []string{"peer", "strategy", "internal/backoff"}, third: []string{hclog, yaml}},
	{pkg: "strategy/static", ours: []string{"peer", "strategy"}, third: []string{hclog}},
	{pkg: "strategy/hostsfile", ours: []string{"peer", "strategy", "internal/hostaddr", "internal/reread"}, third: []string{hclog}},
	{pkg: "strategy/file", ours: []string{"peer", "strategy", "internal/reread", "internal/targets"}, third: []string{hclog}},
	{pkg: "strategy/http", ours: []string{"peer", "strategy", "internal/conntrack", "internal/targets", "internal/bounded", "internal/safetext"}, third: []string{hclog}},
	{pkg: "strategy/exec", ours: []string{"peer", "strategy", "internal/hostaddr", "internal/targets"}, third: []string{hclog}},
	{pkg: "strategy/local", ours: []string{"peer", "strategy", "internal/bounded"}, third: []string{hclog}},
	{pkg: "strategy/multicast", ours: []string{"peer", "strategy", "internal/backoff", "internal/ratelog"},
		third: []string{hclog, "golang.org/x/net/ipv4", "golang.org/x/net/ipv6"}},
	{pkg: "strategy/dns", ours: []string{"peer", "strategy", "internal/reread", "strategy/internal/podenv"}, third: []string{hclog, "github.com/miekg/dns"}},
	{pkg: "strategy/internal/dnstest", third: []string{"github.com/miekg/dns"}}, // a server that misbehaves; tests alone import it
	{pkg: "strategy/kubernetes", ours: []string{"peer", "strategy", "internal/conntrack", "internal/backoff", "internal/bounded", "internal/ratelog", "strategy/internal/podenv"}, third: []string{hclog, "k8s.io/*"}},
	{pkg: "strategy/internal/kubernetestest"}, // a fake; tests alone import it
	{pkg: "strategy/rancher", ours: []string{"peer", "strategy", "internal/backoff", "internal/bounded", "internal/safetext"}, third: []string{hclog}},
	{pkg: "strategy/internal/ranchertest"}, // a fake; tests alone import it

	{pkg: "connector", ours: []string{"peer", "internal/secret", "internal/strictyaml"}, third: []string{hclog, "go.opentelemetry.io/otel/trace"}},
	{pkg: "connector/connectortest", ours: []string{"peer", "connector"}},
	{pkg: "connector/gossip", ours: []string{"peer", "connector", "gossip", "gossip/*", "internal/backoff", "internal/strictyaml"}, third: []string{hclog}},

	// A module of its own: programs that do not use it have neither memberlist nor serf in their module graph.
	{pkg: "connector/hashicorp/internal/mlnet", ours: []string{"peer", "connector", "internal/backoff", "internal/hostaddr", "internal/ratelog", "internal/strictyaml"},
		third: []string{hclog, memberlist}},
	{pkg: "connector/hashicorp/memberlist", ours: []string{"peer", "connector", "connector/hashicorp/internal/*"}, third: []string{hclog, memberlist}},
	{pkg: "connector/hashicorp/serf", ours: []string{"peer", "connector", "connector/hashicorp/internal/*"},
		third: []string{hclog, "github.com/hashicorp/serf/*"}},
	{pkg: "connector/hashicorp/cmd/*", ours: []string{"connector/*", "internal/command"}},

	{pkg: "cluster", ours: []string{"peer", "strategy", "connector", "internal/backoff", "internal/hist", "internal/ratelog", "internal/span", "internal/strictyaml", "cluster/internal/*"},
		third: append([]string{hclog, yaml}, otel...)},
	{pkg: "cluster/internal/*", ours: []string{"peer", "connector", "internal/backoff"}},

	{pkg: "gossip", ours: []string{"gossip/*", "internal/disk", "internal/hist", "internal/hostaddr", "internal/keylock", "internal/logqueue", "internal/ratelog", "internal/span"}, third: append([]string{hclog, "github.com/tidwall/btree"}, otel...)},
	{pkg: "gossip/internal/core", third: []string{"github.com/tidwall/btree"}},
	{pkg: "gossip/internal/wire", ours: []string{"gossip/internal/core"}, third: []string{"google.golang.org/protobuf/encoding/protowire"}},
	{pkg: "gossip/internal/simulation", ours: []string{"gossip/internal/core"}},
	{pkg: "gossip/internal/testhook"},
	{pkg: "gossip/transport", ours: []string{"internal/reread"}, third: []string{"github.com/flynn/noise", "golang.org/x/sys/unix"}}, // follows the files of certificates
	{pkg: "gossip/gossiptest", ours: []string{"gossip", "gossip/*"}},                                                                 // real nodes in memory, for programs' own tests
	{pkg: "internal/disk"},
	{pkg: "ring", ours: []string{"gossip"}},

	{pkg: "quorum", ours: []string{"gossip", "quorum/internal/*", "internal/backoff", "internal/disk", "internal/hist", "internal/keylock", "internal/ratelog", "internal/span"},
		third: append([]string{hclog, "golang.org/x/sys/unix"}, otel...)},
	{pkg: "quorum/kubernetes", ours: []string{"quorum", "internal/bounded", "internal/safetext"}},
	{pkg: "quorum/internal/plan"},
	{pkg: "quorum/internal/core", ours: []string{"quorum/internal/plan"}, // its tests import internal/sim
		third: []string{"github.com/tidwall/btree", "go.etcd.io/raft/v3", "go.etcd.io/raft/v3/*", "google.golang.org/protobuf/encoding/protowire", "google.golang.org/protobuf/proto"}},
	{pkg: "quorum/internal/logdisk", ours: []string{"quorum/internal/core", "internal/disk"},
		third: []string{"go.etcd.io/raft/v3/raftpb", "google.golang.org/protobuf/encoding/protowire", "google.golang.org/protobuf/proto"}},
	{pkg: "internal/sim"}, // tests alone import it

	{pkg: "ops", ours: []string{"cluster", "connector", "gossip", "peer"}, third: []string{hclog}}, // not quorum: it would link the consensus
	{pkg: "ops/page", ours: []string{"ops"}, third: []string{"github.com/a-h/templ", "github.com/a-h/templ/runtime"}},
	{pkg: "ops/hclogslog", third: []string{hclog}}, // for programs that log by log/slog
	{pkg: "ops/prom", ours: []string{"cluster", "connector", "gossip", "quorum"}, third: []string{"github.com/prometheus/client_golang/prometheus", "github.com/prometheus/client_golang/prometheus/*"}},

	{pkg: "agent", ours: []string{"cluster", "connector", "connector/gossip", "gossip", "internal/admin", "internal/backoff", "internal/pacedlog", "ops", "ops/page", "peer", "quorum", "quorum/kubernetes", "strategy"}, third: []string{hclog, "go.opentelemetry.io/otel/trace", "golang.org/x/net/netutil"}},
	{pkg: "cmd/*", ours: []string{"connector/gossip", "internal/command"}},
	// A module of its own, of programs that make what is installed.
	{pkg: "packaging/kubernetes", ours: []string{"cluster", "internal/manifest", "strategy/builtin"}},
	{pkg: "packaging/clidocs", ours: []string{"connector/gossip", "internal/command"}, third: []string{"github.com/spf13/cobra", "github.com/spf13/cobra/doc"}},
	{pkg: "packaging/release"},
	{pkg: "examples", ours: []string{"*"}, third: []string{hclog, yaml}},
	{pkg: "examples/*", ours: []string{"*"}, third: []string{hclog, yaml}},
}

// otel is the trace API; the package of the globals and the SDK belong to programs.
var otel = []string{"go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/codes", "go.opentelemetry.io/otel/trace", "go.opentelemetry.io/otel/trace/noop"}

const (
	hclog      = "github.com/hashicorp/go-hclog"
	yaml       = "gopkg.in/yaml.v3"
	memberlist = "github.com/hashicorp/memberlist"
)

// pure lists the packages that are deterministic: they take the time and the chance as
// arguments, start no goroutine and touch no system.
var pure = []string{"cluster/internal/reconcile", "gossip/internal/core", "quorum/internal/plan", "quorum/internal/core"}

// impure lists what a pure package may not import, and impureCalls what it may not call.
var (
	impure      = []string{"os", "os/*", "net", "sync", "sync/*", "context", "syscall", "io/ioutil", "net/http", "unsafe"}
	impureCalls = map[string][]string{
		"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
		// Seeded generators are welcome, the global ones are not.
		"math/rand/v2": {"Int", "IntN", "Int32", "Int32N", "Int64", "Int64N", "Uint32", "Uint32N", "Uint64", "Uint64N",
			"UintN", "Uint", "N", "Float32", "Float64", "NormFloat64", "ExpFloat64", "Perm", "Shuffle"},
	}
)

// rule lists what the non-test files of a package may import, besides the standard library.
type rule struct {
	pkg   string
	ours  []string
	third []string
}
