package strictyaml

import "gopkg.in/yaml.v3"

// Mapping calls f for each key of a mapping in the order of the file. It reports what is not
// a mapping, and keys given twice.
func Mapping(n *yaml.Node, file string, f func(key, value *yaml.Node)) error {
	d := newDecoder(file, nil)
	n = resolve(n)
	if d.want(n, yaml.MappingNode) {
		d.pairs(n, f)
	}
	return d.err()
}

// Missing reports whether a key was written without a value.
func Missing(n *yaml.Node) bool { return isNull(resolve(n)) }
