package rancher

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/goconvoke/convoke/internal/safetext"
	"github.com/goconvoke/convoke/peer"
)

const (
	maxContainers = 10_000 // of a service
	maxMistakes   = 10     // reported of a service
	maxQuote      = 200    // bytes of a foreign text that an error or a log quotes
)

// service is what the metadata hold of a service. Whatever it does not name is skipped, also its token.
type service struct {
	Name       string        `json:"name"`
	StackName  string        `json:"stack_name"`
	Containers containerList `json:"containers"`
}

// containerList is the list of a service, of which null is the empty one.
type containerList struct {
	given bool // the list was there, or null
	all   []container
	errs  []error // of those that cannot be read
}

// container is what the metadata hold of a container. Text that is null is "".
type container struct {
	Name        string         `json:"name"`
	PrimaryIP   string         `json:"primary_ip"`
	IPs         []string       `json:"ips"`
	State       string         `json:"state"`
	HealthState string         `json:"health_state"`
	Labels      map[string]any `json:"labels"`
}

func readService(body []byte) (*service, error) {
	var s service
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("the answer is not a service in JSON: %w", safetext.Error(err, maxQuote))
	}
	if !s.Containers.given {
		return nil, errors.New("the answer is not a service: it has no list of containers")
	}
	return &s, nil
}

// isOf reports a service other than the one asked for: to the server a name that is a number is a place in a list.
func (s *service) isOf(c Config) error {
	if c.Service != "" && !strings.EqualFold(s.Name, c.Service) || c.Stack != "" && !strings.EqualFold(s.StackName, c.Stack) {
		return fmt.Errorf("the server answers with the service %s of the stack %s", safetext.Quote(s.Name, maxQuote), safetext.Quote(s.StackName, maxQuote))
	}
	return nil
}

// UnmarshalJSON reads one container after the other, so that one that is bad spoils no other.
func (c *containerList) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	switch first, _ := dec.Token(); first {
	case nil:
		c.given = true
		return nil
	case json.Delim('['):
		c.given = true
	default:
		return errors.New("its containers are not a list")
	}
	for n := 1; dec.More(); n++ {
		if n > maxContainers {
			return fmt.Errorf("it has more than %d containers", maxContainers)
		}
		var one json.RawMessage
		if err := dec.Decode(&one); err != nil {
			return err
		}
		if one[0] == '"' {
			return errors.New("its containers are names alone; set the version in url to 2015-12-19 or later")
		}
		var read container
		switch err := json.Unmarshal(one, &read); {
		case one[0] != '{':
			c.mistakeOf(n, errors.New("want an object"))
		case err != nil:
			c.mistakeOf(n, safetext.Error(err, maxQuote))
		default:
			c.all = append(c.all, read)
		}
	}
	return nil
}

func (c *containerList) mistakeOf(n int, err error) {
	if len(c.errs) < maxMistakes {
		c.errs = append(c.errs, fmt.Errorf("container %d: %w", n, err))
	}
}

// peers returns those that count, sorted: the server keeps no order. With an error some were bad; one that has
// no address is not bad but not yet started.
func (c *containerList) peers(config Config) ([]peer.Peer, filteredCounts, error) {
	found := []peer.Peer{}
	passed := filteredCounts{total: len(c.all)}
	errs := slices.Clone(c.errs)
	for _, one := range c.all {
		if one.HealthState == "" {
			one.HealthState = "none"
		}
		ip := one.ip()
		if ip == "" || !slices.Contains(config.States, one.State) || !slices.Contains(config.HealthStates, one.HealthState) {
			passed.drop(one, ip)
			continue
		}
		p, err := one.peer(ip, config)
		switch {
		case err == nil:
			found = append(found, p)
		case len(errs) < maxMistakes:
			errs = append(errs, fmt.Errorf("container %s: %w", safetext.Quote(one.Name, maxQuote), safetext.Error(err, maxQuote)))
		}
	}
	slices.SortFunc(found, func(a, b peer.Peer) int { return cmp.Or(cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.ID, b.ID)) })
	found = slices.CompactFunc(found, func(a, b peer.Peer) bool { return a.Addr == b.Addr })
	passed.kept = len(found)
	return found, passed, errors.Join(errs...)
}

// ip returns the address on the network of the containers, "" when there is none yet.
func (c *container) ip() string {
	if c.PrimaryIP != "" {
		return c.PrimaryIP
	}
	for _, ip := range c.IPs {
		if ip != "" {
			return ip
		}
	}
	return ""
}

func (c *container) peer(ip string, config Config) (peer.Peer, error) {
	if net.ParseIP(ip) == nil {
		return peer.Peer{}, fmt.Errorf("%s is not an IP address", safetext.Quote(ip, maxQuote))
	}
	addr, err := peer.Addr(net.JoinHostPort(ip, strconv.Itoa(config.Port)))
	if err != nil {
		return peer.Peer{}, err
	}
	return peer.Peer{Addr: addr, ID: validName(c.Name), Zone: c.label(config.ZoneLabel), Version: c.label(config.VersionLabel)}, nil
}

// label returns the value of a label that is text, "" for any other.
func (c *container) label(name string) string {
	value, _ := c.Labels[name].(string)
	return validName(value)
}

// validName returns a name if it can be one: short and printable. Else there is none.
func validName(name string) string {
	if len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return ""
	}
	return name
}

// filteredCounts counts the containers that are not peers, by reason.
type filteredCounts struct {
	total, kept int
	by          map[string]int
}

func (f *filteredCounts) drop(c container, ip string) {
	why := c.State + "/" + c.HealthState
	if ip == "" {
		why += "/no address"
	}
	if f.by == nil {
		f.by = make(map[string]int)
	}
	if len(f.by) < maxMistakes || f.by[why] > 0 {
		f.by[why]++
	}
}

// String lists the reasons: "2 running/unhealthy, 1 stopped/none".
func (f *filteredCounts) String() string {
	var all []string
	for _, why := range slices.Sorted(maps.Keys(f.by)) {
		all = append(all, fmt.Sprintf("%d %s", f.by[why], why))
	}
	text := strings.Join(all, ", ")
	return safetext.Clip(text, maxQuote)
}
