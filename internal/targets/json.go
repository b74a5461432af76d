package targets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

var errNoListJSON = errors.New(`want a list of groups, [{"targets": ["host:port"]}]; an empty list is []`)

// readJSON reads group by group, so that only the text and its content are held in memory.
func readJSON(data []byte, l *list) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	first, err := dec.Token()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the list is empty text: %w", errNoListJSON)
	}
	if err != nil {
		return place(data, err)
	}
	if first != json.Delim('[') {
		return errNoListJSON
	}
	for dec.More() {
		if err := l.begin(); err != nil {
			return err
		}
		var group json.RawMessage
		if err := dec.Decode(&group); err != nil {
			return place(data, err)
		}
		if err := l.groupJSON(fmt.Sprintf("group %d", l.groups), group); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return place(data, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text follows the end of the list")
	}
	return nil
}

// place names the line in which the syntax of data is bad; err is that of the decoder.
func place(data []byte, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the list is cut off before its end")
	}
	var all json.RawMessage
	syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(data, &all)) // a decoder counts otherwise
	if !ok {
		return err
	}
	before := data[:min(max(syntax.Offset, 0), int64(len(data)))]
	return fmt.Errorf("line %d: %w", 1+bytes.Count(before, []byte("\n")), syntax)
}

// groupJSON reads one group; its syntax is known to be good. It returns an error when the list is too large.
func (l *list) groupJSON(where string, raw json.RawMessage) error {
	keys, err := objectJSON(raw)
	if err != nil {
		l.mistake(where, err)
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if key != "targets" && key != "labels" {
			l.mistake(where, unknownKey(key))
		}
	}
	list, ok := keys["targets"]
	if !ok {
		l.mistake(where, errNoTargets)
		return nil
	}
	targets, err := l.targetsJSON(where, list)
	if err != nil {
		return err
	}
	l.add(where, targets, l.labelsJSON(where, keys["labels"]))
	return nil
}

var errNoTargets = errors.New(`the group has no key "targets"`)

func unknownKey(key string) error {
	return shorten(fmt.Errorf(`unknown key %q; a group has "targets" and "labels"`, key))
}

// targetsJSON reads the addresses of a group.
func (l *list) targetsJSON(where string, raw json.RawMessage) ([]target, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	switch first, _ := dec.Token(); first {
	case json.Delim('['):
	case nil:
		return nil, nil
	default:
		l.mistake(where, errors.New(`"targets" is not a list; want ["host:port"]`))
		return nil, nil
	}
	var all []target
	for n := 1; dec.More(); n++ {
		if err := l.count(); err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err // cannot be: the syntax is good
		}
		t := target{where: fmt.Sprintf("%s, target %d", where, n)}
		if !stringJSON(raw, &t.addr) {
			l.mistake(t.where, errors.New(`want "host:port" in quotes`))
			continue
		}
		all = append(all, t)
	}
	return all, nil
}

// labelsJSON returns the labels of a group that are good.
func (l *list) labelsJSON(where string, raw json.RawMessage) map[string]string {
	if raw == nil || string(raw) == "null" {
		return nil
	}
	keys, err := objectJSON(raw)
	if err != nil {
		l.mistake(where+", labels", err)
		return nil
	}
	labels := make(map[string]string, len(keys))
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		var value string
		if !stringJSON(keys[name], &value) {
			l.mistake(where, shorten(fmt.Errorf(`label %q: want the value in quotes`, name)))
			continue
		}
		labels[name] = value
	}
	return labels
}

// stringJSON reads a string; null is none.
func stringJSON(raw json.RawMessage, s *string) bool {
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, s) == nil
}

// objectJSON returns the keys of an object, of which each is there once.
func objectJSON(raw json.RawMessage) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if first, _ := dec.Token(); first != json.Delim('{') {
		return nil, errors.New(`want {…}, as in {"targets": ["host:port"], "labels": {"name": "value"}}`)
	}
	keys := make(map[string]json.RawMessage)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := keys[key]; twice {
			return nil, shorten(fmt.Errorf("the key %q is there twice", key))
		}
		keys[key] = value
	}
	return keys, nil
}
