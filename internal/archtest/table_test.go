package archtest

// DO NOT CHANGE THIS TABLE TO FIX A BUILD. It is the design (DESIGN.md §1): a new line in it is a
// decision about the shape of the project, made in a review, with its reason in the commit.
//
// Paths are relative to the module; "x/*" stands for every package below x, "*" for all of ours.
var table = []rule{
	{pkg: "peer"},
	{pkg: "internal/strictyaml", third: []string{yaml, "github.com/agext/levenshtein"}},
	{pkg: "internal/hostaddr"},
	{pkg: "internal/admin"},
	{pkg: "internal/mlnet", ours: []string{"peer", "connector", "internal/hostaddr"}, third: []string{hclog, memberlist}},
	{pkg: "internal/reread"}, // how hostsfile and file follow a file
	{pkg: "internal/targets", ours: []string{"peer"}, third: []string{yaml}}, // what file, http and exec read
	{pkg: "internal/conntrack"}, // how http and kubernetes end their connections
	{pkg: "internal/pipenet"},   // tests alone import it
	{pkg: "internal/archtest"},

	{pkg: "strategy", ours: []string{"peer", "internal/strictyaml"}, third: []string{hclog, yaml}},
	{pkg: "strategy/builtin", ours: []string{"peer", "strategy", "strategy/*"}, third: []string{hclog}},
	{pkg: "strategy/strategytest", ours: []string{"peer", "strategy"}, third: []string{hclog, yaml}},
	{pkg: "strategy/static", ours: []string{"peer", "strategy"}, third: []string{hclog}},
	{pkg: "strategy/hostsfile", ours: []string{"peer", "strategy", "internal/hostaddr", "internal/reread"}, third: []string{hclog}},
	{pkg: "strategy/file", ours: []string{"peer", "strategy", "internal/reread", "internal/targets"}, third: []string{hclog}},
	{pkg: "strategy/http", ours: []string{"peer", "strategy", "internal/conntrack", "internal/targets"}, third: []string{hclog}},
	{pkg: "strategy/exec", ours: []string{"peer", "strategy", "internal/hostaddr", "internal/targets"}, third: []string{hclog}},
	{pkg: "strategy/local", ours: []string{"peer", "strategy"}, third: []string{hclog}},
	{pkg: "strategy/multicast", ours: []string{"peer", "strategy"},
		third: []string{hclog, "golang.org/x/net/ipv4", "golang.org/x/net/ipv6"}},
	{pkg: "strategy/dns", ours: []string{"peer", "strategy"}, third: []string{hclog, "github.com/miekg/dns"}},
	{pkg: "strategy/dns/dnstest", third: []string{"github.com/miekg/dns"}}, // a server that misbehaves; tests alone import it
	{pkg: "strategy/kubernetes", ours: []string{"peer", "strategy", "internal/conntrack"}, third: []string{hclog, "k8s.io/*"}},
	{pkg: "strategy/kubernetes/kubernetestest"}, // a fake; tests alone import it
	{pkg: "strategy/rancher", ours: []string{"peer", "strategy"}, third: []string{hclog}},
	{pkg: "strategy/rancher/ranchertest"}, // a fake; tests alone import it

	{pkg: "connector", ours: []string{"peer"}},
	{pkg: "connector/connectortest", ours: []string{"peer", "connector"}},
	{pkg: "connector/memberlist", ours: []string{"peer", "connector", "internal/mlnet"}, third: []string{hclog, memberlist}},
	{pkg: "connector/serf", ours: []string{"peer", "connector", "internal/mlnet"},
		third: []string{hclog, "github.com/hashicorp/serf/*"}},
	{pkg: "connector/gossip", ours: []string{"peer", "connector", "gossip"}, third: []string{hclog}},

	{pkg: "cluster", ours: []string{"peer", "strategy", "connector", "internal/strictyaml", "cluster/internal/*"},
		third: []string{hclog, yaml}},
	{pkg: "cluster/internal/*", ours: []string{"peer", "connector"}},

	{pkg: "gossip", ours: []string{"gossip/*", "internal/hostaddr"}, third: []string{hclog}},
	{pkg: "gossip/core", third: []string{"github.com/tidwall/btree"}},
	{pkg: "gossip/disk"},
	{pkg: "gossip/wire", ours: []string{"gossip/core"}, third: []string{"google.golang.org/protobuf/encoding/protowire"}},
	{pkg: "gossip/transport", third: []string{"github.com/flynn/noise"}},
	{pkg: "gossip/gossiptest", ours: []string{"gossip/core"}},
	{pkg: "ring", ours: []string{"gossip"}},

	{pkg: "quorum", ours: []string{"gossip", "quorum/internal/*"}},
	{pkg: "quorum/internal/plan"},

	{pkg: "cmd/*", ours: []string{"*"}, third: []string{hclog, yaml, memberlist, "github.com/spf13/cobra"}},
	{pkg: "examples", ours: []string{"*"}, third: []string{hclog, yaml, memberlist}},
	{pkg: "examples/*", ours: []string{"*"}, third: []string{hclog, yaml, memberlist}},
}

const (
	hclog      = "github.com/hashicorp/go-hclog"
	yaml       = "gopkg.in/yaml.v3"
	memberlist = "github.com/hashicorp/memberlist"
)

// pure lists the packages that are deterministic: they take the time and the chance as
// arguments, start no goroutine and touch no system.
var pure = []string{"cluster/internal/reconcile", "gossip/core", "quorum/internal/plan"}

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

// rule says what the non-test files of a package may import, besides the standard library.
type rule struct {
	pkg   string
	ours  []string
	third []string
}
