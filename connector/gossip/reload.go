package gossip

import (
	"slices"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/strictyaml"
)

// Reload takes other pre-shared keys into use if the node was made with some, and has the files of certificates looked at now. Between
// streams in plain text, TLS and pre-shared keys a node changes at its next start only.
func (c *Connector) Reload(n connector.NodeConfig) ([]connector.Setting, error) {
	inUse, err := c.reloadKeys(n)
	if err != nil {
		return nil, err
	}
	if running, err := c.current(); err == nil {
		running.RefreshSecurity()
	}
	return inUse, nil
}

// reloadKeys takes the keys of a node into use.
func (c *Connector) reloadKeys(n connector.NodeConfig) ([]connector.Setting, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case slices.Equal(n.Keys, c.node.Keys): // nothing changes
	case c.psk == nil || len(n.Keys) == 0:
		return nil, nil
	default:
		if err := c.psk.SetKeys(n.KeyBytes()...); err != nil {
			return nil, strictyaml.At(string(connector.SettingKeys), err)
		}
		c.node.Keys = slices.Clone(n.Keys)
	}
	return []connector.Setting{connector.SettingKeys}, nil
}
