// Package targets reads lists of peers in the format of Prometheus' file and HTTP service
// discovery: groups of addresses with labels,
//
//	[{"targets": ["10.0.0.1:7946"], "labels": {"zone": "a"}}]
package targets

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goconvoke/convoke/internal/safetext"
	"github.com/goconvoke/convoke/peer"
)

// MaxBytes is the largest list that is read. Readers of other sources stop there.
const MaxBytes = 8 << 20

const (
	maxTargets  = 100_000 // of a list, those that are named twice or bad included
	maxGroups   = 100_000 // of a list
	maxLabels   = 64      // of a group
	maxLabel    = 1024    // bytes of a name or a value
	maxMistakes = 10      // reported of one list; the others are counted
)

// Options name the labels that are more than further labels; "" names none.
type Options struct {
	// IDLabel holds the stable name of a peer. A group that has it lists one target.
	IDLabel string
	// ZoneLabel holds the failure zone.
	ZoneLabel string
	// VersionLabel holds the rollout version.
	VersionLabel string
}

// JSON reads a list in JSON. Its result shows how much of the list is known, as that of a lookup does:
//
//	(peers, nil)   all of it, also when it is empty; peers is not nil then
//	(peers, err)   some targets, labels or groups are bad, these are good; the error names the
//	               first mistakes by group and target, counted from 1
//	(nil, err)     nothing is good, it is not such a list, or larger than the bounds: [MaxBytes],
//	               100,000 targets
//
// Addresses are canonical. Of targets named twice the first counts. The other labels become the Attrs of a
// peer, sorted, those whose name starts with "__" left out; in their values "," is written as %2C and "%" as
// %25. A group that gives one ID to several targets is a mistake; its peers are returned without it.
//
// The list is strict: a group has the keys targets and labels only, and no list at all (nothing, or null) is
// not an empty one. For a group, null means that it has no targets or no labels.
func JSON(data []byte, o Options) ([]peer.Peer, error) {
	if err := checkSize(data); err != nil {
		return nil, err
	}
	l := newList(o)
	if err := readJSON(trimMark(data), l); err != nil {
		return nil, err
	}
	return l.result()
}

// YAML reads a list in YAML, as [JSON] does. Its errors name the line of a mistake. A label may be any
// scalar and has its text as value. There is one document, without merge keys.
func YAML(data []byte, o Options) ([]peer.Peer, error) {
	if err := checkSize(data); err != nil {
		return nil, err
	}
	l := newList(o)
	if err := readYAML(trimMark(data), l); err != nil {
		return nil, err
	}
	return l.result()
}

func checkSize(data []byte) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("the list is larger than %d bytes", MaxBytes)
	}
	return nil
}

// trimMark drops the byte order mark that some editors write.
func trimMark(data []byte) []byte {
	if after, ok := strings.CutPrefix(string(data[:min(len(data), 3)]), "\ufeff"); ok && after == "" {
		return data[3:]
	}
	return data
}

// errTooMany ends the reading of a list.
var errTooMany = fmt.Errorf("the list has more than %d targets or groups", maxTargets)

// list is what has been read of a list.
type list struct {
	options  Options
	peers    []peer.Peer
	seen     map[string]bool // addresses of peers
	groups   int             // begun so far
	targets  int             // counted against maxTargets
	mistakes []error
	more     int // mistakes that are not in the slice
}

func newList(o Options) *list {
	return &list{options: o, peers: []peer.Peer{}, seen: make(map[string]bool)}
}

// begin counts a group.
func (l *list) begin() error {
	if l.groups++; l.groups > maxGroups {
		return errTooMany
	}
	return nil
}

// count counts a target.
func (l *list) count() error {
	if l.targets++; l.targets > maxTargets {
		return errTooMany
	}
	return nil
}

// mistake notes an error at a place, which is in the group at hand.
func (l *list) mistake(where string, err error) {
	if len(l.mistakes) == maxMistakes {
		l.more++
		return
	}
	l.mistakes = append(l.mistakes, fmt.Errorf("%s: %w", where, err))
}

// target is one entry of a group, as it is written.
type target struct {
	where string
	addr  string
}

// add takes a group that has been read.
func (l *list) add(where string, targets []target, labels map[string]string) {
	common, err := l.common(labels)
	if err != nil {
		l.mistake(where, err)
	}
	if common.ID != "" && len(targets) > 1 {
		l.mistake(where, fmt.Errorf("label %q names one peer and the group has %d targets; give each target a group of its own",
			l.options.IDLabel, len(targets)))
		common.ID = ""
	}
	for _, t := range targets {
		addr, err := peer.Addr(t.addr)
		if err != nil {
			l.mistake(t.where, shorten(err))
			continue
		}
		if l.seen[addr] {
			continue
		}
		l.seen[addr] = true
		p := common
		p.Addr = addr
		l.peers = append(l.peers, p)
	}
}

// common returns what the labels of a group state of each of its peers; with an error, what the good ones state.
func (l *list) common(labels map[string]string) (peer.Peer, error) {
	if len(labels) > maxLabels {
		return peer.Peer{}, fmt.Errorf("the group has more than %d labels", maxLabels)
	}
	var p peer.Peer
	var attrs []string
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		value := labels[name]
		if err := checkLabel(name, value); err != nil {
			errs = append(errs, err)
			continue
		}
		switch { // not a switch over names: two options may name one label
		case name == l.options.IDLabel || name == l.options.ZoneLabel || name == l.options.VersionLabel:
		case strings.HasPrefix(name, "__") || value == "": // as in Prometheus, an empty label is none
		default:
			attrs = append(attrs, name+"="+escape.Replace(value))
		}
		take(&p.ID, name, l.options.IDLabel, value)
		take(&p.Zone, name, l.options.ZoneLabel, value)
		take(&p.Version, name, l.options.VersionLabel, value)
	}
	p.Attrs = strings.Join(attrs, ",")
	return p, errors.Join(errs...)
}

var escape = strings.NewReplacer("%", "%25", ",", "%2C")

// take sets a field that a label is for.
func take(field *string, name, label, value string) {
	if name == label {
		*field = value
	}
}

// checkLabel reports a label that cannot be part of a peer.
func checkLabel(name, value string) error {
	switch {
	case name == "":
		return errors.New("a label has no name")
	case len(name) > maxLabel:
		return fmt.Errorf("a label has a name of more than %d bytes", maxLabel)
	case strings.ContainsAny(name, "=,") || !safetext.Printable(name):
		return fmt.Errorf("label %q: the name holds '=', ',' or a character that cannot be printed", name)
	case len(value) > maxLabel:
		return fmt.Errorf("label %q has a value of more than %d bytes", name, maxLabel)
	case !safetext.Printable(value):
		return fmt.Errorf("label %q: the value %q holds a character that cannot be printed", name, value)
	}
	return nil
}

// shorten limits what an error quotes of a list.
func shorten(err error) error {
	const most = 300
	if text := err.Error(); len(text) > most {
		return errors.New(strings.ToValidUTF8(text[:most/2], "") + " … " + strings.ToValidUTF8(text[len(text)-most/2:], ""))
	}
	return err
}

// result returns the peers and the mistakes.
func (l *list) result() ([]peer.Peer, error) {
	if l.more > 0 {
		l.mistakes = append(l.mistakes, fmt.Errorf("and %d more mistakes", l.more))
	}
	err := errors.Join(l.mistakes...)
	if err != nil && len(l.peers) == 0 {
		return nil, err
	}
	return l.peers, err
}
