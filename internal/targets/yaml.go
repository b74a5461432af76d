package targets

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

var errNoListYAML = errors.New(`want a list of groups, each as "- targets: [host:port]"; an empty list is []`)

// readYAML walks the nodes of the text. Nodes are not expanded, so an alias costs no more than its own text.
func readYAML(data []byte, l *list) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the list is empty text: %w", errNoListYAML)
	case err != nil:
		return shorten(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("a second document follows the list")
	}
	if len(doc.Content) != 1 || actual(doc.Content[0]).Kind != yaml.SequenceNode {
		return errNoListYAML
	}
	for _, n := range actual(doc.Content[0]).Content {
		if err := l.begin(); err != nil {
			return err
		}
		if err := l.groupYAML(actual(n)); err != nil {
			return err
		}
	}
	return nil
}

// actual returns what an alias stands for. An alias never stands for another.
func actual(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func line(n *yaml.Node) string { return fmt.Sprintf("line %d", n.Line) }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// groupYAML reads one group. It returns an error when the list is too large.
func (l *list) groupYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		l.mistake(line(n), errors.New(`want a group, "targets: [host:port]" with "labels: {name: value}"`))
		return nil
	}
	var list, labels *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := actual(n.Content[i]), actual(n.Content[i+1])
		field := &list
		switch key.Value {
		case "targets":
		case "labels":
			field = &labels
		default:
			l.mistake(line(key), unknownKey(key.Value))
			continue
		}
		if *field != nil {
			l.mistake(line(key), fmt.Errorf("the key %q is there twice", key.Value))
		}
		*field = value
	}
	if list == nil {
		l.mistake(line(n), errNoTargets)
		return nil
	}
	targets, err := l.targetsYAML(list)
	if err != nil {
		return err
	}
	l.add(line(n), targets, l.labelsYAML(labels))
	return nil
}

// targetsYAML reads the addresses of a group.
func (l *list) targetsYAML(n *yaml.Node) ([]target, error) {
	if isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		l.mistake(line(n), errors.New(`"targets" is not a list; want [host:port]`))
		return nil, nil
	}
	var all []target
	for _, c := range n.Content {
		if err := l.count(); err != nil {
			return nil, err
		}
		c = actual(c)
		if c.Kind != yaml.ScalarNode || isNull(c) {
			l.mistake(line(c), errors.New("want host:port"))
			continue
		}
		all = append(all, target{line(c), c.Value})
	}
	return all, nil
}

// labelsYAML returns the labels of a group that are good.
func (l *list) labelsYAML(n *yaml.Node) map[string]string {
	if n == nil || isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		l.mistake(line(n), errors.New(`"labels" is not a table; want {name: value}`))
		return nil
	}
	if len(n.Content)/2 > maxLabels { // an alias may name many again and again
		l.mistake(line(n), fmt.Errorf("the group has more than %d labels", maxLabels))
		return nil
	}
	labels := make(map[string]string)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := actual(n.Content[i]), actual(n.Content[i+1])
		_, twice := labels[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode || isNull(value):
			l.mistake(line(key), shorten(fmt.Errorf("label %q: want name: value", key.Value)))
		case twice:
			l.mistake(line(key), shorten(fmt.Errorf("label %q is there twice", key.Value)))
		default:
			labels[key.Value] = value.Value
		}
	}
	return labels
}
