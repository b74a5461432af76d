package mlnet

import (
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"
)

// reclaim is how long after a node's death its name may come back from another address. memberlist's
// default is never; longer than nothing, a node that restarts elsewhere is locked out.
const reclaim = time.Millisecond

// ListConfig returns memberlist's configuration for a listener: a profile of memberlist's ("lan" if empty, "wan" or
// "local"), a label and keys. The name and the delegates are left to the caller.
func ListConfig(b Binding, profile, label string, keys [][]byte) (*memberlist.Config, error) {
	conf := memberlist.DefaultLANConfig()
	switch profile {
	case "wan":
		conf = memberlist.DefaultWANConfig()
	case "local":
		conf = memberlist.DefaultLocalConfig()
	}
	conf.Label = label
	conf.BindAddr, conf.BindPort = b.Host.String(), int(b.Port)
	conf.AdvertiseAddr, conf.AdvertisePort = b.Public.Addr().String(), int(b.Public.Port())
	conf.Transport = b.Transport
	conf.TCPTimeout = TCPTimeout
	conf.DeadNodeReclaimTime = reclaim
	conf.EnableCompression = false // costs more than it saves on packets this small; what others compress is read
	conf.Logger, conf.LogOutput = b.Logger, nil
	if len(keys) > 0 {
		ring, err := memberlist.NewKeyring(keys, keys[0])
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		conf.Keyring = ring
	}
	return conf, nil
}
